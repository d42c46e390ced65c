import type { AssistantMessage, Part, ToolPart, UserMessage } from '@opencode-ai/sdk/v2'
import type { SessionMessage } from '@switchyard/opencode'
import { describe, expect, it } from 'vitest'
import { parseCursor } from './cursor.ts'
import { tellFrom } from './session-event-replay.ts'

const place = { sessionId: 'ses_1', directory: '/work' }
const ids = (messageID: string, id: string) => ({ id, messageID, sessionID: place.sessionId })

const user = (id: string, text: string): SessionMessage => ({
  info: {
    id,
    sessionID: place.sessionId,
    role: 'user',
    time: { created: 1_000 },
    agent: 'build',
    model: { providerID: 'p', modelID: 'm' },
  } satisfies UserMessage,
  parts: [{ ...ids(id, `prt_${id.slice(4)}`), type: 'text', text }],
})

const assistant = (id: string, parts: readonly Part[], end?: 'stop' | 'tool-calls'): SessionMessage => ({
  info: {
    id,
    sessionID: place.sessionId,
    role: 'assistant',
    time: { created: 2_000, ...(end ? { completed: 3_000 } : {}) },
    parentID: 'msg_1',
    modelID: 'm',
    providerID: 'p',
    mode: 'build',
    agent: 'build',
    path: { cwd: '/work', root: '/work' },
    cost: 0,
    tokens: { input: 1, output: 1, reasoning: 0, cache: { read: 0, write: 0 } },
    ...(end ? { finish: end } : {}),
  } satisfies AssistantMessage,
  parts,
})

const tool = (messageID: string, id: string, status: 'pending' | 'running' | 'completed'): ToolPart => {
  const input = { command: id }
  const base = { ...ids(messageID, id), type: 'tool' as const, callID: id, tool: 'bash' }
  if (status === 'pending') return { ...base, state: { status, input, raw: '' } }
  if (status === 'running') return { ...base, state: { status, input, time: { start: 2_100 } } }
  return {
    ...base,
    state: { status, input, output: 'out', title: id, metadata: {}, time: { start: 2_100, end: 2_200 } },
  }
}

const text = (messageID: string, id: string, said: string): Part => ({
  ...ids(messageID, id),
  type: 'text',
  text: said,
  time: { start: 2_300, end: 2_400 },
})

/** Reads the session at each moment, as a connected reader does. */
const follow = (moments: readonly (readonly SessionMessage[])[]) => {
  const told: { readonly id: string | null; readonly message: string }[] = []
  moments.forEach((messages, at) => {
    const last = told.at(-1)?.id
    const cursor = last ? parseCursor(last) : undefined
    told.push(...tellFrom(messages, cursor, place, at === moments.length - 1))
  })
  return told
}

const ASK = user('msg_1', 'go')
const side = (a: 'pending' | 'running' | 'completed', b: 'pending' | 'running' | 'completed', isOver = false) =>
  assistant('msg_2', [tool('msg_2', 'prt_a', a), tool('msg_2', 'prt_b', b)], isOver ? 'tool-calls' : undefined)
const END = assistant('msg_3', [text('msg_3', 'prt_c', 'done')], 'stop')

const MOMENTS = [
  [ASK],
  [ASK, side('pending', 'pending')],
  [ASK, side('pending', 'running')],
  [ASK, side('running', 'completed')],
  [ASK, side('running', 'completed')],
  [ASK, side('completed', 'completed', true)],
  [ASK, side('completed', 'completed', true), END],
]

describe('the replay of a session', () => {
  it('reports each call when it starts and when it ends, in any order of their ends', () => {
    expect(follow(MOMENTS).map(({ message }) => message)).toEqual([
      'go',
      'bash: prt_b …',
      'bash: prt_a …',
      'bash: prt_b → done: out',
      'bash: prt_a → done: out',
      'done',
      'finished: done',
    ])
  })

  it('continues after any event and repeats nothing', () => {
    const live = follow(MOMENTS)
    const now = MOMENTS.at(-1) ?? []
    live.forEach((event, at) => {
      const rest = tellFrom(now, parseCursor(event.id ?? ''), place, true)
      const isOver = (message: string) => !message.endsWith('…')
      const expected = live.slice(at + 1).filter(({ message }) => isOver(message))
      expect(rest.map(({ message }) => message).toSorted()).toEqual(expected.map(({ message }) => message).toSorted())
    })
  })

  it('reports the end of a turn only when the session is idle or has continued', () => {
    const messages = [ASK, END]
    const types = (isIdle: boolean) => tellFrom(messages, undefined, place, isIdle).map(({ type }) => type)
    expect(types(false)).toEqual(['session_message', 'session_progress'])
    expect(types(true)).toEqual(['session_message', 'session_progress', 'session_turn_ended'])
    expect(
      tellFrom([...messages, user('msg_4', 'more')], undefined, place, false).map(({ message }) => message),
    ).toEqual(['go', 'done', 'finished: done', 'more'])
  })

  describe('of an interrupted answer', () => {
    const CUT = assistant('msg_2', [tool('msg_2', 'prt_a', 'running')])
    const more = user('msg_3', 'be quick')
    const again = assistant('msg_4', [text('msg_4', 'prt_c', 'done')], 'stop')
    const tell = (messages: readonly SessionMessage[], isIdle: boolean, after?: string, abandoned?: SessionMessage) =>
      tellFrom(messages, after === undefined ? undefined : parseCursor(after), place, isIdle, abandoned)
    const ends = (...told: Parameters<typeof tell>) =>
      tell(...told).flatMap(({ type, id, data }) => (type === 'session_turn_ended' ? [[id, data.end]] : []))

    it('reports the end once, when nothing will complete it', () => {
      expect(ends([ASK, CUT], true)).toEqual([])
      const [end] = tell([ASK, CUT], true, 'msg_2.prt_a', CUT)
      expect(end).toMatchObject({
        id: 'msg_2.end',
        type: 'session_turn_ended',
        message: expect.stringMatching(/^interrupted: the turn was cut off/),
        data: { end: 'interrupted', message_id: 'msg_2', error: { code: 'opencode_error', retryable: false } },
      })
      expect(tell([CUT], true, 'msg_2.end')).toEqual([])
    })

    it('reports it after messages sent meanwhile, and not again once there is another answer', () => {
      const [end] = ends([CUT, more], true, 'msg_3.prt_3', CUT)
      expect(end).toEqual(['msg_3.end', 'interrupted'])
      expect(ends([CUT, more, again], true, 'msg_3.end')).toEqual([['msg_4.end', 'finished']])
    })

    it('reports it in its place when another answer came after it', () => {
      expect(ends([ASK, CUT, more, again], false)).toEqual([['msg_2.end', 'interrupted']])
      expect(ends([ASK, CUT, more, again], true)).toEqual([
        ['msg_2.end', 'interrupted'],
        ['msg_4.end', 'finished'],
      ])
    })

    it('does not treat an answer in progress as interrupted when a message arrives', () => {
      expect(ends([ASK, CUT, more], false)).toEqual([])
      const live = tell([ASK, CUT, more], false).at(-1)?.id ?? ''
      const ended = assistant('msg_2', [tool('msg_2', 'prt_a', 'completed')], 'tool-calls')
      expect(tell([ended, more, again], true, live).map(({ message }) => message)).toEqual([
        'bash: prt_a → done: out',
        'done',
        'finished: done',
      ])
    })
  })

  it('continues when the message of the cursor was reverted', () => {
    const cursor = parseCursor('msg_2.prt_b')
    expect(tellFrom([ASK, END], cursor, place, true).map(({ message }) => message)).toEqual(['done', 'finished: done'])
  })

  it.each(['7', 'msg_1', 'msg_1.prt_a~prt_b:9', `msg_1.prt_a${'~prt_b:0'.repeat(101)}`, 'msg_1.prt_a\n'])(
    'refuses %j as a cursor',
    (given) => {
      expect(() => parseCursor(given)).toThrow(/Last-Event-ID/)
    },
  )
})
