import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import {
  OWN_MODELS_ONLY,
  opencodeConfig,
  openSessionDatabase,
  type ScriptedModel,
  script,
  startScriptedModel,
} from '@switchyard/testing'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { newMessageId } from './client/message-ids.ts'
import { permissionRules } from './client/permission-rules.ts'
import { createDirectories, createProxy, createRecorder, eventually, quiet } from './opencode.fixture.ts'
import { OpenCodeServer } from './opencode-server.ts'
import { childServer } from './server/child-server.ts'
import { freePort } from './server/free-port.ts'
import { descendants, MARKER, marked, processInfo } from './server/processes.ts'
import { remoteServer } from './server/remote-server.ts'

// Each start and each first prompt of a directory costs a second of CPU, and several when the machine is busy.
vi.setConfig({ testTimeout: 90_000, hookTimeout: 60_000 })

const PASSWORD = 'not-in-argv'

let model: ScriptedModel
let directories: Awaited<ReturnType<typeof createDirectories>>
let open: OpenCodeServer[]

beforeAll(async () => {
  model = await startScriptedModel()
})

afterAll(async () => {
  await model?.close()
})

beforeEach(async () => {
  directories = await createDirectories()
  open = []
})

afterEach(async () => {
  for (const server of open.reverse()) await server.close()
  await directories?.remove()
})

const environment = () => {
  const { PATH = '', HOME = '' } = process.env
  return { PATH, HOME, ...OWN_MODELS_ONLY }
}

const launcher = () =>
  childServer({
    dataDir: directories.dataDir,
    password: PASSWORD,
    env: environment(),
    config: opencodeConfig(model.url),
    logger: quiet,
  })

type Settings = Partial<Parameters<typeof OpenCodeServer.start>[0]>

const start = (settings: Settings = {}): OpenCodeServer => {
  const server = OpenCodeServer.start({
    launcher: launcher(),
    logger: quiet,
    healthCheckIntervalMs: 200,
    retryDelayMs: 50,
    maxRetryDelayMs: 500,
    ...settings,
  })
  open.push(server)
  return server
}

const begin = async (server: OpenCodeServer) => {
  const { directory } = directories
  const session = await server.client.createSession({ directory, title: 'test', permission: permissionRules('allow') })
  const recorder = createRecorder()
  const subscription = server.subscribe(session.id, directory, recorder.listener, { isNew: true })
  await subscription.established
  const prompt = (...steps: Parameters<typeof script>[0]) =>
    server.client.promptAsync({
      sessionId: session.id,
      directory,
      messageId: newMessageId(),
      text: `go ${script([...steps, { say: 'the end' }])}`,
    })
  return { session, recorder, subscription, prompt, ref: { sessionId: session.id, directory } }
}

const bash = (command: string) => ({ tool: 'bash', args: { command, description: 'runs' } })

const pidOf = (server: OpenCodeServer): number => server.state().pid ?? 0

const serverIdOf = async (pid: number): Promise<string> => {
  const variables = (await readFile(`/proc/${pid}/environ`, 'utf8')).split('\0')
  return variables.find((one) => one.startsWith(`${MARKER}=`))?.slice(MARKER.length + 1) ?? ''
}

const hasExited = async (pid: number): Promise<boolean> => (await processInfo(pid)) === undefined

describe('a child server', () => {
  it('keeps its password out of its arguments, and leaves no process behind when it closes, not even a tool', async () => {
    const server = start()
    await server.ready()
    const pid = pidOf(server)
    expect(server.state()).toMatchObject({ status: 'up', epoch: 1, version: expect.stringMatching(/^\d+\.\d+/) })
    expect(await readFile(`/proc/${pid}/cmdline`, 'utf8')).not.toContain(PASSWORD)
    const { prompt } = await begin(server)
    // The first leaves its parent and its session; the second clears its environment and ignores signals.
    const detached = '(setsid sleep 301 &)'
    const stubborn = 'env -i /bin/sh -c \'trap "" TERM HUP INT; sleep 302; sleep 302\' &'
    await prompt(bash(`${detached}; ${stubborn} sleep 303`))
    const tools = await eventually('the tools run', async () => {
      const found = [...(await descendants(pid)), ...(await marked(await serverIdOf(pid)))]
      const commands = await Promise.all(
        found.map((tool) => readFile(`/proc/${tool.pid}/cmdline`, 'utf8').catch(() => '')),
      )
      const run = ['301', '302', '303'].every((seconds) => commands.some((line) => line.includes(`sleep\0${seconds}`)))
      return run && found
    })
    await server.close()
    expect(server.state().status).toBe('stopped')
    for (const each of [pid, ...tools.map((tool) => tool.pid)]) expect(await hasExited(each)).toBe(true)
  })

  it('restarts after a SIGKILL: kills its tools, keeps its sessions, and sends a resync to every subscription', async () => {
    const server = start()
    await server.ready()
    const first = pidOf(server)
    const { prompt, recorder, ref } = await begin(server)
    await prompt(bash('sleep 300'))
    const tools = await eventually('the tool runs', async () => {
      const below = await descendants(first)
      return below.length > 0 && below
    })
    recorder.clear()
    process.kill(first, 'SIGKILL')
    await eventually('the resync', () => recorder.resyncs().length > 0)
    expect(recorder.resyncs()).toEqual(['server_restarted'])
    expect(server.state()).toMatchObject({ status: 'up', epoch: 2 })
    expect(pidOf(server)).not.toBe(first)
    for (const tool of tools) expect(await hasExited(tool.pid)).toBe(true)
    // OpenCode resumes no turn by itself; the session still exists, and the next prompt works.
    expect(await server.client.statuses(directories.directory)).toEqual({})
    expect((await server.client.messages(ref)).length).toBeGreaterThan(0)
    await prompt()
    await recorder.event('session.idle', ref.sessionId)
  })

  it('is replaced when it is silent for longer than the configured time', async () => {
    const server = start({ healthTimeoutMs: 200, silenceMs: 1_500, watchdogMs: 500 })
    await server.ready()
    const first = pidOf(server)
    const states: string[] = []
    server.onState(({ status }) => states.push(status))
    const stoppedAt = Date.now()
    process.kill(first, 'SIGSTOP')
    await eventually('a new server', () => server.state().epoch === 2 && server.state().status === 'up')
    expect(Date.now() - stoppedAt).toBeGreaterThan(1_400)
    expect(await hasExited(first)).toBe(true)
    expect(states[0]).toBe('busy')
    await server.ready()
  })

  it('is not replaced when it is only slow', async () => {
    const server = start({ healthTimeoutMs: 100, silenceMs: 30_000 })
    await server.ready()
    const first = pidOf(server)
    process.kill(first, 'SIGSTOP')
    await eventually('busy', () => server.state().status === 'busy')
    process.kill(first, 'SIGCONT')
    await eventually('up', () => server.state().status === 'up')
    expect(server.state()).toMatchObject({ epoch: 1, pid: first })
  })

  it('rejects a data directory that another live process uses', async () => {
    const server = start()
    await server.ready()
    const second = start()
    await expect(second.ready()).rejects.toMatchObject({ code: 'home_in_use' })
    expect(second.state().status).toBe('stopped')
    expect(server.state().status).toBe('up')
  })

  it('kills the server and tools that a killed parent left behind, and no other process', async () => {
    const orphan = spawn('sleep', ['300'], { env: { ...environment(), [MARKER]: 'abandoned' } })
    const unrelated = spawn('sleep', ['300'], { env: environment() })
    await Promise.all([once(orphan, 'spawn'), once(unrelated, 'spawn')])
    await mkdir(directories.dataDir)
    const record = {
      server_id: 'abandoned',
      owner: { pid: unrelated.pid, started_at: 'before' },
      // Its pid now belongs to another process.
      server: { pid: unrelated.pid, started_at: 'before' },
    }
    await writeFile(path.join(directories.dataDir, 'server.json'), JSON.stringify(record))
    const ended = once(orphan, 'exit')
    await start().ready()
    expect(await ended).toEqual([null, 'SIGKILL'])
    expect(isRunning(unrelated)).toBe(true)
    unrelated.kill('SIGKILL')
  })

  it('does not start when the lock file is invalid', async () => {
    await mkdir(directories.dataDir)
    await writeFile(path.join(directories.dataDir, 'server.json'), '{"server_id":')
    const server = start()
    await expect(server.ready()).rejects.toMatchObject({
      code: 'home_in_use',
      message: expect.stringContaining('server.json'),
    })
  })

  it('reports why it cannot start, and stops waiting after the configured retries', async () => {
    const { dataDir } = directories
    const config = { provider: 'wrong' as never }
    const broken = childServer({ dataDir, env: environment(), config, startTimeoutMs: 10, logger: quiet })
    const server = start({ launcher: broken, maxRetries: 2, retryDelayMs: 10 })
    await expect(server.ready()).rejects.toMatchObject({ code: 'opencode_unavailable', retryable: true })
    expect(server.state().failedStarts).toBeGreaterThanOrEqual(3)
    await server.close()
    expect(server.state().status).toBe('stopped')
  })
})

const isRunning = (child: ChildProcess): boolean => child.exitCode === null && child.signalCode === null

describe('the event stream', () => {
  /** Connects to the child server through a proxy that can break connections. */
  const throughProxy = async (settings: Settings = {}) => {
    const child = start()
    await child.ready()
    const proxy = await createProxy(() => Number(new URL(child.state().url ?? '').port))
    const server = start({ launcher: remoteServer({ url: proxy.url, password: PASSWORD }), ...settings })
    await server.ready()
    return { child, proxy, server }
  }

  it('reconnects after every break, sends a resync each time, and delivers the events after it', async () => {
    const { child, proxy, server } = await throughProxy()
    const { recorder, ref } = await begin(server)
    const rename = (title: string) =>
      child.client.clientFor(directories.directory).session.update({ sessionID: ref.sessionId, title })
    for (let round = 1; round <= 20; round += 1) {
      recorder.clear()
      proxy.cut()
      await eventually('the resync', () => recorder.resyncs().length > 0)
      // No event after the resync may be lost.
      await rename(`round ${round}`)
      await eventually('the event', () => JSON.stringify(recorder.events()).includes(`round ${round}`))
      expect(recorder.resyncs()).toEqual(['connected'])
    }
    expect(server.state()).toMatchObject({ epoch: 1 })
    await proxy.close()
  })

  it('reconnects when not even heartbeats arrive for too long', async () => {
    const { proxy, server } = await throughProxy({ watchdogMs: 600, healthTimeoutMs: 200, silenceMs: 60_000 })
    const { recorder } = await begin(server)
    recorder.clear()
    proxy.mute(true)
    await eventually('the stream is disconnected', () => !server.isStreaming())
    expect(recorder.resyncs()).toEqual([])
    proxy.mute(false)
    await eventually('the resync', () => recorder.resyncs().length > 0)
    expect(recorder.resyncs()[0]).toBe('watchdog')
    await proxy.close()
  })

  it('delivers events of subagents to the subscription to their root, also of those created in a gap', async () => {
    const { child, proxy, server } = await throughProxy()
    const { recorder, ref, subscription, session } = await begin(server)
    const { directory } = directories
    const other = await begin(server)
    const early = await child.client.createSession({ directory, title: 'early', parentId: session.id })
    await recorder.event('session.created', early.id)
    recorder.clear()
    proxy.cut()
    const late = await child.client.createSession({ directory, title: 'late', parentId: early.id })
    await eventually('the resync', () => recorder.resyncs().length > 0)
    expect(subscription.sessions()).toEqual([ref.sessionId, early.id, late.id])
    await child.client.clientFor(directory).session.update({ sessionID: late.id, title: 'renamed' })
    await recorder.event('session.updated', late.id)
    expect(JSON.stringify(other.recorder.events())).not.toContain(late.id)
    subscription.close()
    recorder.clear()
    await child.client.clientFor(directory).session.update({ sessionID: late.id, title: 'again' })
    await child.client.clientFor(directory).session.update({ sessionID: other.session.id, title: 'last' })
    await other.recorder.event('session.updated', other.session.id)
    expect(recorder.messages).toEqual([])
    await proxy.close()
  })

  it('knows the existing children when a subscription starts later', async () => {
    const server = start()
    await server.ready()
    const { directory } = directories
    const root = await server.client.createSession({ directory, title: 'root' })
    const child = await server.client.createSession({ directory, title: 'child', parentId: root.id })
    const recorder = createRecorder()
    const subscription = server.subscribe(root.id, directory, recorder.listener)
    await subscription.established
    expect(recorder.resyncs()).toEqual(['connected'])
    expect(subscription.sessions()).toEqual([root.id, child.id])
  })
})

describe('the state of a server', () => {
  it('reports busy sessions and memory, and keeps its sessions over a restart', async () => {
    const server = start()
    await server.ready()
    const { recorder, prompt, session, ref } = await begin(server)
    await prompt({ tool: 'bash', args: { command: 'sleep 60', description: 'wait' } })
    await eventually('busy', () => server.busy().length > 0)
    expect(server.busy()).toEqual([{ sessionId: session.id, directory: directories.directory, status: 'busy' }])
    expect(await server.memory()).toBeGreaterThan(100 * 1_048_576)
    expect(server.state().lastHealthAt).toBeInstanceOf(Date)
    const pid = pidOf(server)
    recorder.clear()
    await server.restart('a test')
    // The old server may announce the end of its instances before it exits, which is a resync too.
    await eventually('the new server', () => ![undefined, pid].includes(server.state().pid) && server.isStreaming())
    await eventually('the resync', () => recorder.resyncs().length > 0)
    expect(new Set(recorder.resyncs())).toEqual(new Set(['server_restarted']))
    expect(server.busy()).toEqual([])
    expect(pidOf(server)).not.toBe(pid)
    expect((await server.client.session(ref)).id).toBe(session.id)
    expect((await server.client.everySession({ roots: true })).map(({ id }) => id)).toEqual([session.id])
    expect((await server.client.projects()).map(({ id }) => id)).toContain('global')
  })
})

describe('a remote server', () => {
  it('connects when the server starts, is down while it is unreachable, counts its return as a restart, and never stops it', async () => {
    const port = await freePort()
    const remote = start({
      launcher: remoteServer({ url: `http://127.0.0.1:${port}/`, password: PASSWORD }),
      outageMs: 1_000,
    })
    await expect(remote.ready()).rejects.toMatchObject({ code: 'opencode_unavailable', retryable: true })
    expect(remote.state().status).toBe('down')

    const { dataDir } = directories
    const env = environment()
    const launchOnPort = childServer({ dataDir, port: async () => port, password: PASSWORD, env, logger: quiet })
    const child = start({ launcher: launchOnPort })
    await eventually('up', () => remote.state().status === 'up' && remote.isStreaming())
    const { recorder } = await begin(remote)
    recorder.clear()
    process.kill(pidOf(child), 'SIGKILL')
    await eventually('the resync', () => recorder.resyncs().length > 0)
    expect(recorder.resyncs()).toEqual(['server_restarted'])
    expect(remote.state().epoch).toBe(2)
    await remote.close()
    await child.ready()
    expect(child.state().status).toBe('up')
  })

  it('reports sessions that were busy before it connected: of the last day, and older ones in known directories', async () => {
    const child = start()
    await child.ready()
    const { prompt, session } = await begin(child)
    await prompt(bash('sleep 60'))
    await eventually('busy', () => child.busy().length > 0)
    const { url = '' } = child.state()
    const remote = async (isKnown: boolean) => {
      const server = start({ launcher: remoteServer({ url, password: PASSWORD }) })
      if (isKnown) server.checkForActivity([directories.directory])
      await server.ready()
      await server.caughtUp()
      return server.busy().map(({ sessionId }) => sessionId)
    }
    expect(await remote(false)).toEqual([session.id])
    const rows = openSessionDatabase(path.join(directories.dataDir, 'share', 'opencode', 'opencode.db'))
    rows.age(session.id, 30 * 3_600_000)
    rows.close()
    expect(await remote(true)).toEqual([session.id])
  })
})
