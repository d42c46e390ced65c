import { describe, expect, it } from 'vitest'
import { createAnswerMeter } from './answer-meter.ts'
import { NO_TOKENS } from './token-counts.ts'

const meter = (contentType: string, text: string, step = 7): object => {
  const bytes = Buffer.from(text)
  const { write, end } = createAnswerMeter(contentType, false)
  // Cut anywhere, in the middle of a character too.
  for (let at = 0; at < bytes.length; at += step) write(bytes.subarray(at, at + step))
  return end()
}

const events = (...list: object[]): string => list.map((event) => `data: ${JSON.stringify(event)}\n\n`).join('')

describe('the tokens of an answer', () => {
  it.each([
    [
      'OpenAI',
      events(
        { choices: [{ delta: { content: 'ü "usage" ü' } }] },
        {
          choices: [],
          usage: {
            prompt_tokens: 10,
            completion_tokens: 5,
            prompt_tokens_details: { cached_tokens: 4 },
            completion_tokens_details: { reasoning_tokens: 2 },
          },
        },
      ),
      { input: 10, output: 5, reasoning: 2, cacheRead: 4, cacheWrite: 0 },
    ],
    [
      'Anthropic',
      events(
        {
          type: 'message_start',
          message: {
            usage: { input_tokens: 3, cache_read_input_tokens: 4, cache_creation_input_tokens: 2, output_tokens: 1 },
          },
        },
        { type: 'message_delta', usage: { output_tokens: 9 } },
      ),
      { input: 9, output: 9, reasoning: 0, cacheRead: 4, cacheWrite: 2 },
    ],
    [
      'Gemini',
      events({ usageMetadata: { promptTokenCount: 6, candidatesTokenCount: 2, thoughtsTokenCount: 3 } }),
      { input: 6, output: 5, reasoning: 3, cacheRead: 0, cacheWrite: 0 },
    ],
  ])('are read from the events of %s', (_name, text, expected) => {
    expect(meter('text/event-stream; charset=utf-8', text)).toEqual(expected)
  })

  it('are read from an answer that is not streamed', () => {
    const body = JSON.stringify({ usage: { input_tokens: 8, output_tokens: 2 } })
    expect(meter('application/json', body)).toMatchObject({ input: 8, output: 2 })
  })

  it('are not read from what the model says', () => {
    const text = events({ choices: [{ delta: { content: '{"usage":{"prompt_tokens":999}}' } }] })
    expect(meter('text/event-stream', text)).toEqual(NO_TOKENS)
    expect(meter('text/event-stream', 'data: {"usage": broken\n\n')).toEqual(NO_TOKENS)
  })
})
