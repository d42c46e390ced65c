// Writes a reply in OpenAI's chat completion format: one JSON document, or a stream of server-sent
// chunks.

import type { Reply } from './reply.ts'

type Head = { readonly id: string; readonly created: number; readonly model: string }

/** Returns the answer as one JSON document. */
export const completion = (head: Head, reply: Reply): Record<string, unknown> => ({
  ...head,
  object: 'chat.completion',
  choices: [
    {
      index: 0,
      message: {
        role: 'assistant',
        content: reply.text === '' ? null : reply.text,
        ...(reply.think === '' ? {} : { reasoning_content: reply.think }),
        ...(reply.calls.length === 0 ? {} : { tool_calls: reply.calls.map((call, at) => toolCall(head, call, at)) }),
      },
      finish_reason: reply.finish,
    },
  ],
  usage: wireUsage(reply),
})

/**
 * Yields the answer as chunks of a stream. The caller waits `reply.delayMs` after each chunk with
 * text.
 */
export function* chunksOf(
  head: Head,
  reply: Reply,
  includeUsage: boolean,
): Generator<{ readonly data: string; readonly isText: boolean }> {
  const line = (fields: Record<string, unknown>, isText = false) => ({
    data: `data: ${JSON.stringify({ ...head, object: 'chat.completion.chunk', ...fields })}\n\n`,
    isText,
  })
  const delta = (content: Record<string, unknown>, isText = false) =>
    line({ choices: [{ index: 0, delta: content, finish_reason: null }] }, isText)

  yield delta({ role: 'assistant', content: '' })
  if (reply.think !== '') yield delta({ reasoning_content: reply.think })
  for (const piece of pieces(reply.text, reply.chunks)) yield delta({ content: piece }, true)
  for (const [at, call] of reply.calls.entries()) {
    yield delta({ tool_calls: [{ index: at, ...toolCall(head, call, at) }] })
  }
  yield line({ choices: [{ index: 0, delta: {}, finish_reason: reply.finish }] })
  if (includeUsage) yield line({ choices: [], usage: wireUsage(reply) })
  yield { data: 'data: [DONE]\n\n', isText: false }
}

const toolCall = (head: Head, call: Reply['calls'][number], at: number) => ({
  id: `call_${head.id.slice(-16)}_${at}`,
  type: 'function',
  function: { name: call.name, arguments: call.arguments },
})

const wireUsage = ({ usage }: Reply): Record<string, unknown> => ({
  prompt_tokens: usage.input + usage.cache_read,
  completion_tokens: usage.output + usage.reasoning,
  total_tokens: usage.input + usage.cache_read + usage.output + usage.reasoning,
  prompt_tokens_details: { cached_tokens: usage.cache_read },
  completion_tokens_details: { reasoning_tokens: usage.reasoning },
})

const pieces = (text: string, count: number): readonly string[] => {
  if (text === '') return []
  const size = Math.max(1, Math.ceil(text.length / Math.max(1, count)))
  return Array.from({ length: Math.ceil(text.length / size) }, (_, at) => text.slice(at * size, (at + 1) * size))
}
