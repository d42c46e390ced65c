import {
  CALLS,
  type CallArgs,
  type CallKind,
  type CallResult,
  type MessageList,
  newCallId,
  newOpenCodeMessageId,
  type SentToSession,
  type SessionInfo,
  type SessionList,
} from '@switchyard/contracts'
import { addCall, Records, readCall } from '@switchyard/records'
import { script } from '@switchyard/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { RestCaller } from './rest-caller.ts'
import { at, type Project, type SessionSystem, startSessionSystem } from './session-system.ts'

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

/** Queues a call for a worker, as the api does. */
const call = async <K extends CallKind>(kind: K, args: CallArgs<K>): Promise<CallResult<K>> => {
  const id = newCallId()
  await addCall(records.db, { id, kind, target: 'blue', args }, 10_000)
  const read = async () => await readCall(records.db, id)
  await expect.poll(async () => (await read())?.state, { timeout: 30_000, interval: 50 }).toBe('done')
  return CALLS[kind].result.parse((await read())?.result) as CallResult<K>
}

describe('a session call that is delivered twice', () => {
  it('creates one session, one fork and one turn', async () => {
    const project = await system.start()
    const who = { project_id: project.id, agent: null, server: null }
    const create: CallArgs<'session.create'> = {
      ...who,
      directory: null,
      worktree: null,
      parent_id: null,
      title: 'Once',
      agent_name: null,
      model: null,
      system: null,
      metadata: {},
      permissions: 'ask',
      marker: newCallId(),
    }
    const { session } = await call('session.create', create)
    expect((await call('session.create', create)).session.id).toBe(session.id)
    const message: CallArgs<'session.message'> = {
      ...who,
      session_id: session.id,
      message_id: newOpenCodeMessageId(),
      text: script([{ say: 'once' }]),
      model: null,
      agent_name: null,
      variant: null,
      system: null,
      no_reply: false,
    }
    await call('session.message', message)
    await call('session.message', message)
    await expect
      .poll(
        async () =>
          (await call('session.turn', { ...who, session_id: session.id, message_id: message.message_id })).state,
        { timeout: 20_000, interval: 100 },
      )
      .toBe('ended')
    await call('session.message', message)
    await system.idle(project, session)
    const { messages } = await system.ops.ok<MessageList>('GET', `${at(project, session)}/message`)
    expect(messages.map(({ info, parts }) => [info.role, parts.filter(({ type }) => type === 'text').length])).toEqual([
      ['user', 1],
      ['assistant', 1],
    ])
    const fork = { ...who, session_id: session.id, message_id: null, marker: newCallId() }
    const first = await call('session.fork', fork)
    expect((await call('session.fork', fork)).session.id).toBe(first.session.id)
    expect(await system.ops.ok<SessionList>('GET', `${project.path}/session`)).toMatchObject({ total: 2 })
    const gone = { ...who, session_id: first.session.id }
    await call('session.delete', gone)
    expect(await system.ops.ok<SessionList>('GET', `${project.path}/session`)).toMatchObject({ total: 1 })
  })
})

describe('a message that is sent again under its id', () => {
  const say = (project: Project, session: { id: string }, messageID: string, text: string, more: object = {}) =>
    system.ops.request<SentToSession>('POST', `${at(project, session)}/message`, {
      parts: [{ type: 'text', text }],
      messageID,
      ...more,
    })

  it('is delivered once and returns the answer of its turn', async () => {
    const project = await system.start()
    const session = await system.create(project)
    // OpenCode's own ids sort between these two.
    for (const [messageID, word] of [
      ['msg_0first', 'first'],
      ['msg_zsecond', 'second'],
    ] as const) {
      const said = await say(project, session, messageID, script([{ say: `received ${word}` }]))
      expect(said).toMatchObject({ status: 200, body: { running: false, messageID, text: `received ${word}` } })
      expect(await say(project, session, messageID, script([{ say: 'received again' }]))).toMatchObject(said)
    }
    const { messages } = await system.ops.ok<MessageList>('GET', `${at(project, session)}/message`)
    expect(messages.map(({ info }) => info.role)).toEqual(['user', 'assistant', 'user', 'assistant'])
    // The id of an answer is not accepted as the id of a message.
    expect(await say(project, session, messages[1]?.info.id ?? '', 'x')).toMatchObject({
      status: 400,
      body: { code: 'invalid_request' },
    })
  })

  it('does not restart an aborted turn', async () => {
    const project = await system.start()
    const session = await system.create(project)
    const messageID = newOpenCodeMessageId()
    const held = script([{ hold: messageID }, { say: 'done' }])
    expect(await say(project, session, messageID, held, { wait_ms: 0 })).toMatchObject({ body: { running: true } })
    const status = async () => (await system.ops.ok<SessionInfo>('GET', at(project, session))).status
    await expect.poll(status, { interval: 100 }).toBe('active')
    await system.ops.ok('POST', `${at(project, session)}/abort`)
    await system.idle(project, session)
    expect(await say(project, session, messageID, held)).toMatchObject({
      body: { running: false, messageID, error: { code: 'request_rejected' } },
    })
    system.model.release(messageID)
  })

  it('is delivered once over MCP', async () => {
    const project = await system.start()
    const session = await system.create(project)
    const message = {
      git_url: project.id,
      session_id: session.id,
      message_id: newOpenCodeMessageId(),
      message: script([{ say: 'once' }]),
      wait_ms: 40_000,
    }
    for (const _ of [1, 2])
      expect(await system.mcp.call('opencode_session_message', message)).toMatchObject({
        message_id: message.message_id,
        running: false,
        text: 'once',
      })
    expect(await system.ops.ok('GET', `${at(project, session)}/message`)).toMatchObject({ total: 2 })
  })
})

describe('a session that is created again under its idempotency key', () => {
  it('is the first one, per caller, and so is a fork', async () => {
    const project = await system.start(system.one)
    await system.one.ok('PATCH', project.path, { permissions: { agents: ['two'] } })
    const make = (as: RestCaller, idempotencyKey: string) => system.create(project, { idempotencyKey }, as)
    const [first, again] = await Promise.all([make(system.one, 'a'), make(system.one, 'a')])
    expect(again.id).toBe(first.id)
    const others = await Promise.all([make(system.one, 'b'), make(system.two, 'a')])
    expect(new Set([first, ...others].map(({ id }) => id)).size).toBe(3)
    const fork = () => system.one.ok<SessionInfo>('POST', `${at(project, first)}/fork`, { idempotencyKey: 'a' })
    const copy = await fork()
    expect(copy.id).not.toBe(first.id)
    expect((await fork()).id).toBe(copy.id)
  })
})

describe('a session while sharing is off, the default', () => {
  it('reports why it cannot be shared', async () => {
    const project = await system.start()
    const session = await system.create(project)
    expect(await system.ops.request('POST', `${at(project, session)}/share`)).toMatchObject({
      status: 503,
      body: { code: 'sharing_unavailable', retryable: false },
    })
    expect(await system.ops.ok('DELETE', `${at(project, session)}/share`)).toEqual({ shared: false })
  })
})
