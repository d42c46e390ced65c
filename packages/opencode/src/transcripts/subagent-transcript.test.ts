// Lines as the database of the pinned version of OpenCode gives them.

import { describe, expect, it } from 'vitest'
import { summariseTurn } from '../narration/turn-summary.ts'
import { SubagentTranscript } from './subagent-transcript.ts'

const line = (session: string, message: string, info: object, id: string, part: object): string =>
  JSON.stringify({ session, title: 'look (@general subagent)', message, info, id, part })

const assistant = {
  role: 'assistant',
  parentID: 'msg_u',
  cost: 0.0002,
  tokens: { input: 100, output: 10, reasoning: 0, cache: { read: 0, write: 0 } },
  modelID: 'model',
  providerID: 'scripted',
  time: { created: 1, completed: 9 },
  finish: 'stop',
}

const bash = {
  type: 'tool',
  tool: 'bash',
  callID: 'call_1',
  state: {
    status: 'completed',
    input: { command: 'ls' },
    output: 'a\n',
    metadata: { exit: 0 },
    title: 'ls',
    time: { start: 2, end: 3 },
  },
}

const LINES = [
  'line',
  line('ses_2', 'msg_u', { role: 'user', time: { created: 0 } }, 'prt_0', { type: 'text', text: 'look' }),
  line('ses_2', 'msg_a', assistant, 'prt_1', bash),
  line('ses_2', 'msg_a', assistant, 'prt_2', { type: 'text', text: 'seen', time: { start: 4, end: 5 } }),
  line('ses_3', 'msg_b', assistant, 'prt_3', { type: 'text', text: 'deeper', time: { start: 4, end: 5 } }),
  '{"session":"ses_2"}',
]

describe('what subagents did', () => {
  it('is reported as a server would have reported it', () => {
    const transcript = new SubagentTranscript('/work')
    const events = LINES.flatMap((text) => transcript.addLine(text) ?? [])
    expect(events.map(({ source_key, data }) => [source_key, data.kind, data.state, data.subagent])).toEqual([
      ['part:prt_1:running', 'tool', 'running', 'look (@general subagent)'],
      ['part:prt_1:completed', 'tool', 'completed', 'look (@general subagent)'],
      ['part:prt_2', 'text', undefined, 'look (@general subagent)'],
      ['part:prt_3', 'text', undefined, 'look (@general subagent)'],
    ])
  })

  it('is counted once a message, whatever the number of its parts and however often they are read', () => {
    const transcript = new SubagentTranscript('/work')
    for (const text of [...LINES, ...LINES]) transcript.addLine(text)
    expect(transcript.sessions.map((messages) => messages.map(({ info }) => info.id))).toEqual([
      ['msg_u', 'msg_a'],
      ['msg_b'],
    ])
    const summary = summariseTurn(transcript.sessions)
    expect(summary.usage).toMatchObject({ input: 200, output: 20 })
    expect(summary.cost).toBeCloseTo(0.0004)
  })

  it('ignores a line that is not a part', () => {
    const transcript = new SubagentTranscript('/work')
    for (const text of ['', 'line', '[]', '{"info":{},"part":{}}', 'null'])
      expect(transcript.addLine(text)).toBeUndefined()
    expect(transcript.sessions).toEqual([])
  })
})
