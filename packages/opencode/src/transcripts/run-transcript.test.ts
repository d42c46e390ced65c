// Lines as `opencode run --format json` of the pinned version prints them.

import { describe, expect, it } from 'vitest'
import { summariseTurn } from '../narration/turn-summary.ts'
import { RunTranscript } from './run-transcript.ts'

const SESSION = 'ses_1'
const DIRECTORY = '/work'

const line = (type: string, part: object): string =>
  JSON.stringify({ type, timestamp: 1_000, sessionID: SESSION, part: { sessionID: SESSION, ...part } })

const step = (message: string, reason: string) =>
  line('step_finish', {
    id: `prt_end_${message}`,
    messageID: message,
    type: 'step-finish',
    reason,
    cost: 0.0002,
    tokens: { input: 100, output: 10, reasoning: 0, cache: { read: 0, write: 0 } },
  })

const TURN = [
  line('step_start', { id: 'prt_1', messageID: 'msg_a', type: 'step-start' }),
  line('text', { id: 'prt_2', messageID: 'msg_a', type: 'text', text: 'I look', time: { start: 1, end: 2 } }),
  line('tool_use', {
    id: 'prt_3',
    messageID: 'msg_a',
    type: 'tool',
    tool: 'bash',
    callID: 'call_1',
    state: {
      status: 'completed',
      input: { command: 'cat a.txt; exit 3', description: 'x' },
      output: 'a\n',
      metadata: { output: 'a\n', exit: 3 },
      title: 'cat a.txt; exit 3',
      time: { start: 1, end: 5 },
    },
  }),
  step('msg_a', 'tool-calls'),
  line('text', { id: 'prt_4', messageID: 'msg_b', type: 'text', text: 'done', time: { start: 6, end: 7 } }),
  step('msg_b', 'stop'),
]

const failed = JSON.stringify({
  type: 'error',
  timestamp: 1_000,
  sessionID: SESSION,
  error: { name: 'APIError', data: { message: 'bad key', statusCode: 401, isRetryable: false } },
})

const text = (id: string, words: string) =>
  line('text', { id, messageID: 'msg_a', type: 'text', text: words, time: { start: 1, end: 2 } })

const tool = (id: string, state: object) =>
  line('tool_use', {
    id,
    messageID: 'msg_a',
    type: 'tool',
    tool: 'bash',
    callID: id,
    state: {
      status: 'completed',
      input: {},
      output: '',
      metadata: {},
      title: '',
      time: { start: 1, end: 5 },
      ...state,
    },
  })

const tell = (transcript: RunTranscript, lines: readonly string[], prompt = 'msg_p') =>
  lines.flatMap((text) => transcript.addLine(text, prompt) ?? [])

describe('a run’s transcript', () => {
  it('reports what a server would have reported, in the same order', () => {
    const transcript = new RunTranscript(DIRECTORY, null, 'scripted/model')
    expect(tell(transcript, TURN).map((event) => [event.source_key, event.data.kind, event.data.state])).toEqual([
      ['part:prt_2', 'text', undefined],
      ['part:prt_3:running', 'tool', 'running'],
      ['part:prt_3:completed', 'tool', 'completed'],
      ['part:prt_end_msg_a', 'step', undefined],
      ['part:prt_4', 'text', undefined],
      ['part:prt_end_msg_b', 'step', undefined],
    ])
    expect(transcript.sessionId).toBe(SESSION)
  })

  it('sums up to the answer, the tokens and the cost', () => {
    const transcript = new RunTranscript(DIRECTORY, null, 'scripted/model')
    tell(transcript, TURN)
    expect(summariseTurn([transcript.messages])).toMatchObject({
      end: 'finished',
      output: 'done',
      cost: 0.0004,
      model: 'scripted/model',
      usage: { input: 200, output: 20 },
    })
  })

  it('reports and counts nothing twice when it is read again', () => {
    const transcript = new RunTranscript(DIRECTORY, null, null)
    tell(transcript, TURN.slice(0, 3))
    const told = tell(transcript, TURN)
    expect(told.map((event) => event.data.kind)).toEqual(['step', 'text', 'step'])
    expect(summariseTurn([transcript.messages])).toMatchObject({ usage: { input: 200 }, model: null })
  })

  it('judges a turn by its own messages', () => {
    const transcript = new RunTranscript(DIRECTORY, SESSION, null)
    tell(transcript, TURN)
    expect(summariseTurn([transcript.messagesOf('msg_next')]).end).toBe('unanswered')
    tell(transcript, [failed], 'msg_next')
    expect(summariseTurn([transcript.messagesOf('msg_p')]).end).toBe('finished')
    expect(summariseTurn([transcript.messagesOf('msg_next')])).toMatchObject({
      end: 'failed',
      error: { code: 'provider_auth', message: 'bad key' },
    })
  })

  it('keeps of what its tools took and gave no more than a turn is summed up from', () => {
    const transcript = new RunTranscript(DIRECTORY, null, null)
    const big = 'x'.repeat(1_048_576)
    for (let n = 0; n < 5; n += 1)
      tell(transcript, [tool(`prt_big_${n}`, { input: { content: big }, output: big, metadata: { output: big } })])
    tell(transcript, TURN)
    expect(JSON.stringify(transcript.messages).length).toBeLessThan(10_000)
    expect(summariseTurn([transcript.messages])).toMatchObject({ end: 'finished', output: 'done' })
    expect(transcript.hadSubagents).toBe(false)
    tell(transcript, [tool('prt_task', { metadata: { sessionId: 'ses_2' } })])
    expect(transcript.hadSubagents).toBe(true)
  })

  it('remembers what a person refused', () => {
    const transcript = new RunTranscript(DIRECTORY, null, null)
    const error = 'The user rejected permission to use this specific tool call.'
    tell(transcript, [tool('prt_no', { status: 'error', error, output: undefined }), step('msg_a', 'tool-calls')])
    expect(summariseTurn([transcript.messages])).toMatchObject({ end: 'halted', error: { code: 'request_rejected' } })
  })

  it.each([
    ['texts', 100, (n: number) => text(`prt_${n}`, 'x'.repeat(200_000))],
    ['errors', 40, () => JSON.stringify({ ...JSON.parse(failed), error: { name: 'X', data: 'x'.repeat(1_000_000) } })],
  ])('refuses more %s than it may keep', (_, count, make) => {
    const transcript = new RunTranscript(DIRECTORY, null, null)
    const fill = () => {
      for (let n = 0; n < count; n += 1) tell(transcript, [make(n), step(`msg_${n}`, 'tool-calls')])
    }
    expect(fill).toThrow(/more than the 32 MiB/)
  })

  it('takes a turn that was cut off as open', () => {
    const transcript = new RunTranscript(DIRECTORY, null, null)
    tell(transcript, TURN.slice(0, 3))
    expect(summariseTurn([transcript.messages]).end).toBe('open')
  })

  it('accepts only ids of OpenCode’s form', () => {
    const transcript = new RunTranscript(DIRECTORY, null, null)
    expect(tell(transcript, [text('x'.repeat(1_000), 'x')])).toEqual([])
    expect(transcript.messages).toEqual([])
  })

  it.each(['', 'npm warn', '[]', '{"type":"text"}', '{"type":"text","sessionID":"s","part":{}}', 'null'])(
    'leaves out %j, which is not OpenCode’s',
    (text) => {
      expect(new RunTranscript(DIRECTORY, null, null).addLine(text, 'msg_p')).toBeUndefined()
    },
  )
})
