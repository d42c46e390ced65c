// Sessions on a project server, on a real OpenCode: while it is drained, stopped and after it
// crashed.

import path from 'node:path'
import {
  type Ask,
  CALLS,
  type CallResult,
  newCallId,
  type ServerInfo,
  type ServerList,
  type SessionInfo,
  type StartedProject,
} from '@switchyard/contracts'
import { addCall, configureServer, Records, readCall } from '@switchyard/records'
import { script } from '@switchyard/testing'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { makeRepository } from './repository.ts'
import { at, OPERATOR, type Project, type SessionSystem, startSessionSystem } from './session-system.ts'

// Each test starts one or two servers, which takes seconds of CPU time.
vi.setConfig({ testTimeout: 180_000 })

const MEBIBYTE = 1_048_576
const PATIENCE = { timeout: 60_000 }

describe('sessions on a project server', () => {
  let system: SessionSystem
  let records: Records

  beforeAll(async () => {
    system = await startSessionSystem()
    records = new Records({ connectionString: system.databaseUrl, applicationName: 'test', max: 2 })
  })

  afterAll(async () => {
    await records?.close()
    await system?.close()
  })

  const start = async (name: string): Promise<Project> => {
    const baseDir = await makeRepository(path.join(system.repositories, name), { 'a.txt': 'a\n' })
    const url = `file://${baseDir}`
    const project = await system.mcp.call<StartedProject>('opencode_project_start', {
      git_url: url,
      isolation: 'dedicated',
    })
    return { url, id: project.project_id, baseDir: project.base_dir ?? '', path: `/project/${project.project_id}` }
  }

  const serverOf = async ({ id }: Project): Promise<ServerInfo> => {
    const { servers } = await system.ops.ok<ServerList>('GET', '/servers')
    const found = servers.find((server) => server.project_id === id)
    if (!found) throw new Error(`${id} has no server`)
    return found
  }

  const becomes = (project: Project, status: ServerInfo['status']) =>
    expect.poll(async () => (await serverOf(project)).status, PATIENCE).toBe(status)

  /** Sets a limit below what the server uses, so that the next check drains it. */
  const drain = async (project: Project): Promise<void> => {
    await configureServer(records.db, project.id, { memory_limit: 64 * MEBIBYTE })
    await becomes(project, 'draining')
    await configureServer(records.db, project.id, { memory_limit: null })
  }

  /** Sends a message whose turn ends in a permission request. */
  const askIn = async (project: Project, session: SessionInfo): Promise<Ask> => {
    const steps = [{ tool: 'bash', args: { command: 'ls', description: 'Look' } }, { say: 'it is done' }]
    const { asks } = await system.say(project, session, script(steps))
    const [ask] = asks
    if (!ask) throw new Error('nothing was asked')
    return ask
  }

  it('answer requests and messages of a running turn while the server is drained, and refuse new turns', async () => {
    const project = await start('drain')
    const session = await system.create(project)
    const other = await system.create(project)
    const { pid } = await serverOf(project)
    const ask = await askIn(project, session)
    await drain(project)
    const parts = [{ type: 'text', text: 'Begin.' }]
    const refused = system.ops.request('POST', `${at(project, other)}/message`, { parts })
    expect(await system.ops.ok<SessionInfo>('GET', at(project, session))).toMatchObject({ status: 'waiting' })
    expect(await system.ops.ok('GET', `${at(project, session)}/ask`)).toMatchObject({ asks: [{ id: ask.id }] })
    const steered = await system.say(project, session, 'And be quick.', { wait_ms: 0 })
    expect(steered.error).toBeNull()
    expect(await refused).toMatchObject({
      status: 503,
      body: { code: 'opencode_unavailable', retryable: true, detail: expect.stringContaining('draining') },
    })
    await system.ops.ok('POST', `${at(project, session)}/permission/${ask.id}`, { reply: 'once' })
    await expect.poll(async () => (await serverOf(project)).restarts, PATIENCE).toBe(1)
    await becomes(project, 'up')
    expect((await serverOf(project)).pid).not.toBe(pid)
    await system.idle(project, session)
    const { messages } = await system.ops.ok<{ messages: object[] }>('GET', `${at(project, session)}/message`)
    expect(JSON.stringify(messages)).toContain('it is done')
  })

  /** Reads the event stream until `end`. */
  const follow = (project: Project, session: SessionInfo) => {
    const stop = new AbortController()
    let told = ''
    const read = async (): Promise<void> => {
      const { body } = await fetch(`${system.url}${at(project, session)}/event`, {
        headers: { accept: 'text/event-stream', authorization: `Bearer ${OPERATOR}` },
        signal: stop.signal,
      })
      for await (const chunk of body?.pipeThrough(new TextDecoderStream()) ?? []) told += chunk
    }
    const done = read().catch(() => {})
    return {
      told: () => told,
      /** The number of heartbeats. The session has been read again by the second one. */
      beats: () => told.split(': alive').length - 1,
      end: async () => {
        stop.abort()
        await done
      },
    }
  }

  it('are followed without keeping the server running, and without starting it', async () => {
    const project = await start('follow')
    const session = await system.create(project, { permissions: 'allow' })
    const reader = follow(project, session)
    await expect.poll(() => reader.told()).toContain('"status":"idle"')
    // Longer than the interval at which a reader checks the session.
    await configureServer(records.db, project.id, { idle_ms: 8_000 })
    await becomes(project, 'stopped')
    await configureServer(records.db, project.id, { idle_ms: null })
    const before = reader.beats()
    await expect.poll(() => reader.beats(), PATIENCE).toBeGreaterThan(before + 1)
    expect((await serverOf(project)).status).toBe('stopped')
    await system.say(project, session, script([{ say: 'here again' }]))
    await expect.poll(() => reader.told(), PATIENCE).toContain('finished: here again')
    await reader.end()
  })

  it('can be aborted while the server is drained, which lets it be replaced', async () => {
    const project = await start('abort')
    const session = await system.create(project)
    const { pid } = await serverOf(project)
    await askIn(project, session)
    await drain(project)
    await system.ops.ok('POST', `${at(project, session)}/abort`)
    await expect.poll(async () => (await serverOf(project)).restarts, PATIENCE).toBe(1)
    await becomes(project, 'up')
    expect((await serverOf(project)).pid).not.toBe(pid)
  })

  /** Returns what a caller receives that waits for the answer. */
  const turnOf = async (
    project: Project,
    session: SessionInfo,
    messageId: string,
  ): Promise<CallResult<'session.turn'>> => {
    const id = newCallId()
    const args = { project_id: project.id, agent: null, session_id: session.id, message_id: messageId }
    await addCall(records.db, { id, kind: 'session.turn', target: 'any', args }, 60_000)
    await expect.poll(async () => (await readCall(records.db, id))?.state, PATIENCE).toBe('done')
    return CALLS['session.turn'].result.parse((await readCall(records.db, id))?.result)
  }

  it('end their turns as interrupted when the server crashes, and continue with the next message', async () => {
    const project = await start('crash')
    const session = await system.create(project, { permissions: 'allow' })
    const reader = follow(project, session)
    const steps = [{ tool: 'bash', args: { command: 'sleep 300', description: 'Wait' } }, { say: 'never' }]
    const { messageID } = await system.say(project, session, `Wait. ${script(steps)}`, { wait_ms: 0 })
    await expect.poll(() => reader.told(), PATIENCE).toContain('"state":"running"')
    process.kill((await serverOf(project)).pid ?? 0, 'SIGKILL')
    // Until the server is up again, the turn counts as running.
    const states = new Set<string>()
    const turn = async () => {
      const now = await turnOf(project, session, messageID)
      states.add(now.state)
      return now
    }
    await expect.poll(async () => (await turn()).state, PATIENCE).toBe('ended')
    expect([...states].filter((state) => state !== 'ended' && state !== 'running')).toEqual([])
    expect((await turn()).error).toMatchObject({
      code: 'opencode_error',
      retryable: false,
      message: expect.stringContaining('cut off'),
    })
    await expect.poll(() => reader.told(), PATIENCE).toContain('"end":"interrupted"')
    await system.say(project, session, script([{ say: 'on I go' }]))
    await expect.poll(() => reader.told(), PATIENCE).toContain('finished: on I go')
    expect(reader.told().match(/"end":"interrupted"/g)).toHaveLength(1)
    await reader.end()
  })
})
