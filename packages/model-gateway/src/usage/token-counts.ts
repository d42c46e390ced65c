// The token counts of a model's answer, from whichever format reports them.

import { isObject, type JsonObject } from '@switchyard/contracts'
import { objectAt } from '../opencode-config/json.ts'

/** Input includes what was read from and written to the provider's cache; output includes reasoning. */
export type TokenCounts = {
  readonly input: number
  readonly output: number
  readonly reasoning: number
  readonly cacheRead: number
  readonly cacheWrite: number
}

export const NO_TOKENS: TokenCounts = { input: 0, output: 0, reasoning: 0, cacheRead: 0, cacheWrite: 0 }

/**
 * Reads the counts of one message of an answer: a whole JSON body, the data of one server-sent event, or the payload of one
 * frame of an Amazon event stream.
 *
 * @returns undefined if the message reports none.
 */
export const readTokenCounts = (message: unknown): TokenCounts | undefined => {
  if (!isObject(message)) return undefined
  if (isObject(message.usageMetadata)) return geminiCounts(message.usageMetadata)
  // Anthropic's first event and OpenAI's last one wrap the message that has the counts.
  const owner = [message, objectAt(message, 'response'), objectAt(message, 'message'), objectAt(message, 'delta')]
  const usage = owner.map((candidate) => candidate.usage).find(isObject)
  if (usage === undefined) return undefined
  // Cohere puts its counts one level deeper.
  const counts = isObject(usage.tokens) ? usage.tokens : usage
  if ('inputTokens' in counts) return bedrockCounts(counts)
  if ('prompt_tokens' in counts) return openAiCounts(counts)
  return 'cache_read_input_tokens' in counts || 'cache_creation_input_tokens' in counts
    ? anthropicCounts(counts)
    : responsesCounts(counts)
}

/** Several events of one answer report the same or growing counts. */
export const largerCounts = (one: TokenCounts, other: TokenCounts): TokenCounts => ({
  input: Math.max(one.input, other.input),
  output: Math.max(one.output, other.output),
  reasoning: Math.max(one.reasoning, other.reasoning),
  cacheRead: Math.max(one.cacheRead, other.cacheRead),
  cacheWrite: Math.max(one.cacheWrite, other.cacheWrite),
})

const number = (from: JsonObject, name: string): number => {
  const value = from[name]
  return typeof value === 'number' && Number.isFinite(value) && value > 0 ? Math.round(value) : 0
}

const openAiCounts = (usage: JsonObject): TokenCounts => ({
  input: number(usage, 'prompt_tokens'),
  output: number(usage, 'completion_tokens'),
  reasoning: number(objectAt(usage, 'completion_tokens_details'), 'reasoning_tokens'),
  cacheRead: number(objectAt(usage, 'prompt_tokens_details'), 'cached_tokens'),
  cacheWrite: 0,
})

const responsesCounts = (usage: JsonObject): TokenCounts => ({
  input: number(usage, 'input_tokens'),
  output: number(usage, 'output_tokens'),
  reasoning: number(objectAt(usage, 'output_tokens_details'), 'reasoning_tokens'),
  cacheRead: number(objectAt(usage, 'input_tokens_details'), 'cached_tokens'),
  cacheWrite: 0,
})

/** Anthropic's input leaves out what the cache was used for. */
const anthropicCounts = (usage: JsonObject): TokenCounts => {
  const cacheRead = number(usage, 'cache_read_input_tokens')
  const cacheWrite = number(usage, 'cache_creation_input_tokens')
  return {
    input: number(usage, 'input_tokens') + cacheRead + cacheWrite,
    output: number(usage, 'output_tokens'),
    reasoning: 0,
    cacheRead,
    cacheWrite,
  }
}

const bedrockCounts = (usage: JsonObject): TokenCounts => {
  const cacheRead = number(usage, 'cacheReadInputTokens')
  const cacheWrite = number(usage, 'cacheWriteInputTokens')
  return {
    input: number(usage, 'inputTokens') + cacheRead + cacheWrite,
    output: number(usage, 'outputTokens'),
    reasoning: 0,
    cacheRead,
    cacheWrite,
  }
}

const geminiCounts = (usage: JsonObject): TokenCounts => {
  const reasoning = number(usage, 'thoughtsTokenCount')
  return {
    input: number(usage, 'promptTokenCount'),
    output: number(usage, 'candidatesTokenCount') + reasoning,
    reasoning,
    cacheRead: number(usage, 'cachedContentTokenCount'),
    cacheWrite: 0,
  }
}
