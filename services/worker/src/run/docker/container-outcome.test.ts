import type { ContainerState } from '@switchyard/docker'
import { RunTranscript } from '@switchyard/opencode'
import { describe, expect, it } from 'vitest'
import { judge } from './container-outcome.ts'
import { LogWords } from './opencode-log.ts'

const PROMPT = 'msg_p'

const messagesOf = (...lines: readonly object[]) => {
  const transcript = new RunTranscript('/work', null, null)
  for (const line of lines) transcript.take(JSON.stringify({ sessionID: 'ses_1', timestamp: 1, ...line }), PROMPT)
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
const words = (...lines: readonly string[]) => {
  const found = new LogWords()
  for (const line of lines) found.take(line)
  return found
}

describe('the end of a container', () => {
  it('is that of its turn where that has one', () => {
    expect(judge(ended(0), messagesOf(BEGUN, DONE), words())).toEqual({ kind: 'finished' })
    expect(judge(ended(1), messagesOf(UNKNOWN), words())).toMatchObject({ error: { code: 'opencode_error' } })
    expect(judge(ended(1), messagesOf(UNKNOWN), words('ProviderModelNotFoundError: x'))).toMatchObject({
      error: { code: 'model_not_found' },
    })
  })

  it('is taken up again where something else ended it', () => {
    for (const code of [130, 137, 143]) expect(judge(ended(code), messagesOf(BEGUN), words()).kind).toBe('interrupted')
    expect(judge(ended(137), [], words()).kind).toBe('interrupted')
    expect(judge(ended(0), messagesOf(BEGUN), words()).kind).toBe('interrupted')
  })

  it('says what was wrong with the container', () => {
    const codeOf = (verdict: ReturnType<typeof judge>) =>
      verdict.kind === 'failed' ? verdict.error.code : verdict.kind
    expect(codeOf(judge(ended(137, true), messagesOf(BEGUN), words()))).toBe('container_out_of_memory')
    expect(codeOf(judge(ended(127), [], words()))).toBe('runner_image_invalid')
    expect(codeOf(judge(ended(0), [], words()))).toBe('container_failed')
    expect(judge(ended(3), [], words('\u001b[91mno mind\u001b[0m'))).toMatchObject({
      error: { message: 'the container ended with exit code 3 and said nothing: no mind' },
    })
  })

  it('is no failure of memory where a tool alone had too little', () => {
    expect(judge(ended(0, true), messagesOf(BEGUN, DONE), words())).toEqual({ kind: 'finished' })
  })
})
