import type { Message, Part } from '@opencode-ai/sdk/v2'
import type { OpenCodeEvent, OpenCodeServer } from '@switchyard/opencode'
import { beforeEach, describe, expect, it } from 'vitest'
import { type Batch, readSignals, type Signal } from './signals.ts'
import { Transcript } from './transcript.ts'

const ROOT = 'ses_root'
const CHILD = 'ses_child'

/** An event as OpenCode sends it, with the fields that matter here. */
const event = (type: OpenCodeEvent['type'], properties: object): Signal => ({
  kind: 'event',
  sessionId: ROOT,
  event: { id: 'evt_1', type, properties: { sessionID: ROOT, ...properties } } as unknown as OpenCodeEvent,
})

const message = (role: Message['role']): Message =>
  ({
    id: `msg_${role}`,
    sessionID: ROOT,
    role,
    time: { created: 1 },
    providerID: 'p',
    modelID: 'm',
  }) as unknown as Message
const text = (messageID: string): Part =>
  ({ id: 'prt_1', sessionID: ROOT, messageID, type: 'text', text: 'done', time: { start: 1, end: 2 } }) as Part

const COMMAND: Signal = { kind: 'command' }
const RESYNC: Signal = { kind: 'resync', reason: 'connected' }

describe('readSignals', () => {
  let transcript: Transcript

  beforeEach(() => {
    // Its `read` is the only method that calls the server.
    transcript = new Transcript({} as OpenCodeServer, { sessionId: ROOT, directory: '/work' })
  })

  const read = (...signals: readonly Signal[]): Batch => readSignals(signals, transcript, false)

  /** Which steps a batch calls for. */
  const dueOf = ({ mustRead, mustRefresh, mustSettle, mustJudge }: Batch): readonly string[] =>
    Object.entries({ read: mustRead, refresh: mustRefresh, settle: mustSettle, judge: mustJudge }).flatMap(
      ([step, isDue]) => (isDue ? [step] : []),
    )

  it.each<[string, Signal, readonly string[]]>([
    ['a command reads the record and settles requests', COMMAND, ['refresh', 'settle']],
    ['a resync checks everything', RESYNC, ['read', 'refresh', 'settle', 'judge']],
    ['missed events check everything', { kind: 'missed_events' }, ['read', 'refresh', 'settle', 'judge']],
    ['a permission request settles requests', event('permission.asked', {}), ['settle']],
    ['a question settles requests', event('question.asked', {}), ['settle']],
    ['an idle session is judged', event('session.idle', {}), ['judge']],
    ['an error is judged', event('session.error', {}), ['judge']],
    ['a message calls for nothing', event('message.updated', { info: message('assistant') }), []],
    [
      'a part of an unknown message checks everything',
      event('message.part.updated', { part: text('msg_x') }),
      ['read', 'refresh', 'settle', 'judge'],
    ],
  ])('%s', (_name, signal, steps) => {
    expect(dueOf(read(signal))).toEqual(steps)
  })

  it('refreshes, settles and judges when a check is due without a signal', () => {
    expect(dueOf(readSignals([], transcript, true))).toEqual(['refresh', 'settle', 'judge'])
  })

  it('turns a part into an event once its message is known, and each part once', () => {
    const part = event('message.part.updated', { part: text('msg_assistant') })
    expect(read(part).events).toEqual([])
    const batch = read(event('message.updated', { info: message('assistant') }), part, part)
    expect(batch.events).toMatchObject([{ type: 'task_progress' }])
    expect(batch.changedMessages).toEqual(['msg_assistant', 'msg_assistant'])
    expect(transcript.isOfAgent('msg_assistant')).toBe(true)
  })

  it('collects deltas without storing them as events', () => {
    const delta = { messageID: 'msg_assistant', partID: 'prt_1', field: 'text', delta: 'do' }
    const batch = read(event('message.part.delta', delta))
    expect(batch.deltas).toMatchObject([{ ...delta, sessionID: ROOT }])
    expect(batch.events).toEqual([])
  })

  it('adds subagents to the sessions of the task', () => {
    read(event('session.created', { sessionID: CHILD, info: { id: CHILD, title: 'look around', parentID: ROOT } }))
    expect([...transcript.sessionIds]).toEqual([ROOT, CHILD])
  })

  it("reports the last error of the task's own session and ignores a subagent's", () => {
    const failure = { name: 'UnknownError', data: { message: 'model not found' } }
    expect(read(event('session.idle', {})).sessionError).toBeUndefined()
    expect(read(event('session.error', { error: failure })).sessionError).toEqual(failure)
    expect(read(event('session.error', { sessionID: CHILD, error: failure })).sessionError).toBeUndefined()
    expect(read(event('session.error', { error: failure }), event('session.error', {})).sessionError).toBeNull()
  })
})
