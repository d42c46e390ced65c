import type { ContainerState } from '@switchyard/docker'
import { RunTranscript } from '@switchyard/opencode'
import { describe, expect, it } from 'vitest'
import { judgeContainer } from './container-outcome.ts'
import { OpenCodeLog } from './opencode-log.ts'

const PROMPT = 'msg_p'

const messagesOf = (...lines: readonly object[]) => {
  const transcript = new RunTranscript('/work', null, null)
  for (const line of lines) transcript.addLine(JSON.stringify({ sessionID: 'ses_1', timestamp: 1, ...line }), PROMPT)
  return transcript.messages
}
const BEGUN = { type: 'step_start', part: { id: 'prt_1', messageID: 'msg_a', type: 'step-start' } }
const DONE = {
  type: 'step_finish',
  part: {
    id: 'prt_2',
    messageID: 'msg_a',
    type: 'step-finish',
    reason: 'stop',
    cost: 0,
    tokens: { input: 1, output: 1, reasoning: 0, cache: { read: 0, write: 0 } },
  },
}
const UNKNOWN = { type: 'error', error: { name: 'UnknownError', data: { message: 'Unexpected server error.' } } }

const ended = (exitCode: number, outOfMemory = false): ContainerState => ({ status: 'ended', exitCode, outOfMemory })
const logOf = (...lines: readonly string[]) => {
  const log = new OpenCodeLog()
  for (const line of lines) log.read(line)
  return log
}

describe('judgeContainer', () => {
  it('returns the end of the turn if the turn has one', () => {
    expect(judgeContainer(ended(0), messagesOf(BEGUN, DONE), logOf())).toEqual({ kind: 'finished' })
    expect(judgeContainer(ended(1), messagesOf(UNKNOWN), logOf())).toMatchObject({ error: { code: 'opencode_error' } })
    expect(judgeContainer(ended(1), messagesOf(UNKNOWN), logOf('ProviderModelNotFoundError: x'))).toMatchObject({
      error: { code: 'model_not_found' },
    })
  })

  it('calls a container interrupted that something else ended', () => {
    for (const code of [130, 137, 143])
      expect(judgeContainer(ended(code), messagesOf(BEGUN), logOf()).kind).toBe('interrupted')
    expect(judgeContainer(ended(137), [], logOf()).kind).toBe('interrupted')
    expect(judgeContainer(ended(0), messagesOf(BEGUN), logOf()).kind).toBe('interrupted')
  })

  it('reports what was wrong with the container', () => {
    const codeOf = (outcome: ReturnType<typeof judgeContainer>) =>
      outcome.kind === 'failed' ? outcome.error.code : outcome.kind
    expect(codeOf(judgeContainer(ended(137, true), messagesOf(BEGUN), logOf()))).toBe('container_out_of_memory')
    expect(codeOf(judgeContainer(ended(127), [], logOf()))).toBe('runner_image_invalid')
    expect(codeOf(judgeContainer(ended(0), [], logOf()))).toBe('container_failed')
    expect(judgeContainer(ended(3), [], logOf('\u001b[91mno mind\u001b[0m'))).toMatchObject({
      error: { message: 'the container exited with code 3 and without output: no mind' },
    })
  })

  it('does not report a lack of memory if only a tool was killed for it', () => {
    expect(judgeContainer(ended(0, true), messagesOf(BEGUN, DONE), logOf())).toEqual({ kind: 'finished' })
  })
})
