import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, statSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { createConfigDirectory, OWN_MODELS_ONLY, opencodeConfig } from '@switchyard/testing'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { commandLine } from './system/processes.ts'

const MAIN = fileURLToPath(new URL('./main.ts', import.meta.url))
const LIMIT = { timeout: 60_000, interval: 20 }

type Run = {
  readonly child: ChildProcess
  /** Everything it has printed, on both streams. */
  readonly output: () => string
  readonly exit: Promise<number | null>
}

// Starts whole processes, which takes long on a busy machine.
describe('npm start', { timeout: 120_000 }, () => {
  let parent: string
  let home: string
  const runs: Run[] = []

  beforeEach(async () => {
    parent = mkdtempSync(path.join(tmpdir(), 'switchyard-main-'))
    chmodSync(parent, 0o711)
    home = path.join(parent, 'home')
    await createConfigDirectory(path.join(parent, '.config'))
  })

  // Longer than its waits, so that it reports the processes that are left.
  afterEach(async () => {
    for (const { child, exit } of runs.splice(0)) {
      child.kill('SIGKILL')
      await exit
    }
    await vi.waitFor(async () => expect(await processesOf(home)).toEqual([]), LIMIT)
    rmSync(parent, { recursive: true, force: true })
  }, 90_000)

  const run = (env: Readonly<Record<string, string>> = {}): Run => {
    const child = spawn(process.execPath, [MAIN], {
      env: {
        PATH: process.env.PATH,
        HOME: parent,
        ...OWN_MODELS_ONLY,
        // A provider, without which tasks are refused. No test calls it.
        OPENCODE_CONFIG_CONTENT: JSON.stringify(opencodeConfig('http://127.0.0.1:1')),
        SWITCHYARD_HOME: home,
        PORT: '0',
        ...env,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let output = ''
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => (output += text))
    const exit = once(child, 'close').then(([code]) => code as number | null)
    const started = { child, output: () => output, exit }
    runs.push(started)
    return started
  }

  /** Waits until it is ready, and returns the address that it prints. */
  const ready = async ({ output, exit }: Run): Promise<string> => {
    const banner = vi.waitFor(() => expect(output()).toContain('Press Ctrl-C to stop'), LIMIT)
    const failed = exit.then((code) => expect.fail(`exited with ${code} before it was ready: ${output()}`))
    await Promise.race([banner, failed])
    return /REST\s+(http:\S+)/.exec(output())?.[1] ?? ''
  }

  it('serves, prints how to connect, keeps its data, and leaves no process behind', async () => {
    const first = run()
    const url = await ready(first)
    expect(first.output()).toContain(`claude mcp add --transport http switchyard ${url}/mcp`)
    expect((await fetch(`${url}/health`)).status).toBe(200)
    const accepted = await fetch(`${url}/tasks`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ task_description: 'survives a restart' }),
    })
    expect(accepted.status).toBe(202)
    const secretFile = path.join(home, 'webhook-secret')
    expect(readFileSync(secretFile, 'utf8')).toMatch(/^whsec_[A-Za-z0-9+/]{43}=\n$/)
    expect(statSync(secretFile).mode & 0o777).toBe(0o600)
    const { task_id } = (await accepted.json()) as { task_id: string }
    first.child.kill('SIGINT')
    expect(await first.exit).toBe(0)
    expect(await processesOf(home)).toEqual([])

    const second = run()
    const found = await fetch(`${await ready(second)}/tasks/${task_id}`)
    expect(await found.json()).toMatchObject({ task_id, task_description: 'survives a restart' })
    second.child.kill('SIGTERM')
    expect(await second.exit).toBe(0)
    expect(await processesOf(home)).toEqual([])
  })

  it('leaves no process behind after a second signal, or a signal during the start', async () => {
    const ready1 = run()
    await ready(ready1)
    ready1.child.kill('SIGINT')
    await vi.waitFor(() => expect(ready1.output()).toContain('SIGINT: stopping'), LIMIT)
    ready1.child.kill('SIGINT')
    await ready1.exit
    await vi.waitFor(async () => expect(await processesOf(home)).toEqual([]), LIMIT)

    const starting = run()
    const owner = path.join(home, 'owner.json')
    await vi.waitFor(() => expect(readFileSync(owner, 'utf8')).toContain(`"pid":${starting.child.pid}`), LIMIT)
    starting.child.kill('SIGTERM')
    expect(await starting.exit).toBe(0)
    expect(await processesOf(home)).toEqual([])
  })

  it('leaves no process behind when it is killed, and starts again', async () => {
    const killed = run()
    await ready(killed)
    killed.child.kill('SIGKILL')
    await killed.exit
    await ready(run())
  })

  it('names the process that uses the home', async () => {
    const first = run()
    await ready(first)
    const second = run()
    expect(await second.exit).toBe(1)
    expect(second.output()).toContain(`${home} is in use by another Switchyard (process ${first.child.pid})`)
    expect(second.output()).not.toMatch(/^\s+at /m)
  })

  it('refuses to start in production without secrets, and names each missing one', async () => {
    const refused = run({ NODE_ENV: 'production', OPENCODE_SERVER_PASSWORD: 'CHANGE_ME' })
    expect(await refused.exit).toBe(1)
    for (const name of ['SWITCHYARD_API_KEYS', 'WEBHOOK_SECRET', 'OPENCODE_SERVER_PASSWORD'])
      expect(refused.output()).toContain(name)
    expect(existsSync(home)).toBe(false)
  })

  it('names a port that is in use before it starts anything', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    const port = String(typeof address === 'object' && address !== null ? address.port : '')
    const refused = run({ PORT: port })
    expect(await refused.exit).toBe(1)
    expect(refused.output()).toContain(`port ${port} of 127.0.0.1 is already in use`)
    expect(refused.output()).toContain('choose another port with PORT')
    expect(refused.output()).not.toMatch(/^\s+at /m)
    expect(existsSync(home)).toBe(false)
    server.close()
  })

  it('names an invalid variable without printing a stack', async () => {
    const refused = run({ DEFAULT_MODEL: 'no-provider' })
    expect(await refused.exit).toBe(1)
    expect(refused.output()).toContain('DEFAULT_MODEL')
    expect(refused.output()).not.toMatch(/^\s+at /m)
  })
})

/** Returns the processes that have the home in their arguments or as working directory. */
const processesOf = async (home: string): Promise<readonly string[]> => {
  if (process.platform !== 'linux') return []
  const found: string[] = []
  for (const pid of readdirSync('/proc').map(Number).filter(Number.isInteger)) {
    const args = (await commandLine(pid)).join(' ')
    if (args.includes(home) || worksIn(pid).startsWith(home)) found.push(`${pid} ${args}`)
  }
  return found
}

const worksIn = (pid: number): string => {
  try {
    if (readFileSync(`/proc/${pid}/cmdline`, 'utf8') === '') return ''
    return readlinkSync(`/proc/${pid}/cwd`)
  } catch {
    return ''
  }
}
