import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createDatabase, type TestDatabase } from '@switchyard/testing'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'

let database: TestDatabase
let home: string
const started: ChildProcess[] = []

beforeAll(async () => {
  database = await createDatabase()
  home = await mkdtemp(path.join(tmpdir(), 'switchyard-api-main-'))
})

afterEach(() => {
  for (const child of started.splice(0)) child.kill('SIGKILL')
})

afterAll(async () => {
  await rm(home, { recursive: true, force: true })
  await database.drop()
})

const start = (env: Record<string, string>) => {
  const child = spawn(process.execPath, [path.join(import.meta.dirname, 'main.ts')], {
    env: { PATH: process.env.PATH, SWITCHYARD_HOME: home, DATABASE_URL: database.url, PORT: '0', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  started.push(child)
  const said = { out: '', err: '' }
  child.stdout.on('data', (bytes: Buffer) => {
    said.out += bytes.toString()
  })
  child.stderr.on('data', (bytes: Buffer) => {
    said.err += bytes.toString()
  })
  const ended = once(child, 'close').then(([code]) => code as number | null)
  return { child, said, ended }
}

const urlOf = async (said: { readonly out: string }): Promise<string> => {
  const found = () => /"url":"([^"]+)"/.exec(said.out)?.[1]
  await expect.poll(found, { timeout: 20_000 }).toBeDefined()
  return found() ?? ''
}

describe('the api process', () => {
  it('migrates the schema, serves, and shuts down cleanly on SIGTERM', async () => {
    const { child, said, ended } = start({})
    const url = await urlOf(said)
    const accepted = await fetch(`${url}/tasks`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ task_description: 'x' }),
    })
    expect(accepted.status).toBe(202)
    const { task_id: id } = (await accepted.json()) as { task_id: string }
    const stream = await fetch(`${url}/tasks/${id}/events`, { headers: { accept: 'text/event-stream' } })
    let streamed = ''
    const reading = (async () => {
      for await (const text of (stream.body ?? new ReadableStream()).pipeThrough(new TextDecoderStream()))
        streamed += text
    })()
    await expect.poll(() => streamed).toContain('event: task_queued')
    child.kill('SIGTERM')
    expect(await ended).toBe(0)
    // The stream was closed, not aborted.
    await expect(reading).resolves.toBeUndefined()
    expect(said.out).toContain('each of them is an operator')
    expect(said.out).toMatch(/"route":"\/tasks","status":202,"ms":[\d.]+,"caller":"local"/)
  })

  it.each([
    [{ DATABASE_URL: '' }, 'DATABASE_URL'],
    [{ HOST: '0.0.0.0' }, 'SWITCHYARD_API_KEYS'],
    [{ PORT: 'many' }, 'PORT'],
  ])('reports an invalid configuration in two lines: %o', async (env, named) => {
    const { said, ended } = start(env)
    expect(await ended).toBe(1)
    expect(said.err).toMatch(/^configuration_invalid: /)
    expect(said.err).toContain(named)
    expect(said.err.trim().split('\n')).toHaveLength(2)
  })

  it('reports that its port is in use', async () => {
    const other = createServer().listen(0, '127.0.0.1')
    await once(other, 'listening')
    const address = other.address()
    const port = typeof address === 'object' && address !== null ? String(address.port) : ''
    const { said, ended } = start({ PORT: port })
    expect(await ended).toBe(1)
    expect(said.err).toContain(`address_in_use: port ${port}`)
    other.close()
  })
})
