import {
  CALLS,
  type CallArgs,
  type CallKind,
  type CallResult,
  type MessageList,
  newCallId,
  newOpenCodeMessageId,
  type SessionList,
} from '@switchyard/contracts'
import { addCall, Records, readCall } from '@switchyard/records'
import { script } from '@switchyard/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { at, type SessionSystem, startSessionSystem } from './session-system.ts'

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

/** As the api does, without the api: one call, which a worker takes as it takes one that another has left. */
const call = async <K extends CallKind>(kind: K, args: CallArgs<K>): Promise<CallResult<K>> => {
  const id = newCallId()
  await addCall(records.db, { id, kind, target: 'blue', args }, 10_000)
  const read = async () => await readCall(records.db, id)
  await expect.poll(async () => (await read())?.state, { timeout: 30_000, interval: 50 }).toBe('done')
  return CALLS[kind].result.parse((await read())?.result) as CallResult<K>
}

describe('a call about sessions that is answered twice', () => {
  it('makes one session, one fork and one turn', async () => {
    const project = await system.start()
    const who = { project_id: project.id, agent: null }
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

describe('a session where sharing is off, as it is by default', () => {
  it('says why it is not shared', async () => {
    const project = await system.start()
    const session = await system.create(project)
    expect(await system.ops.request('POST', `${at(project, session)}/share`)).toMatchObject({
      status: 503,
      body: { code: 'sharing_unavailable', retryable: false },
    })
    expect(await system.ops.ok('DELETE', `${at(project, session)}/share`)).toEqual({ shared: false })
  })
})
