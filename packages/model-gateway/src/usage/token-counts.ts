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
  if (BEDROCK.input in counts) return separateCounts(counts, BEDROCK)
  if ('prompt_tokens' in counts) return openAiCounts(counts, 'prompt_tokens', 'completion_tokens')
  return ANTHROPIC.cacheRead in counts || ANTHROPIC.cacheWrite in counts
    ? separateCounts(counts, ANTHROPIC)
    : openAiCounts(counts, 'input_tokens', 'output_tokens')
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

/** OpenAI's two APIs name input and output differently, and put the details of each beside it. */
const openAiCounts = (usage: JsonObject, input: string, output: string): TokenCounts => ({
  input: number(usage, input),
  output: number(usage, output),
  reasoning: number(objectAt(usage, `${output}_details`), 'reasoning_tokens'),
  cacheRead: number(objectAt(usage, `${input}_details`), 'cached_tokens'),
  cacheWrite: 0,
})

type SeparateNames = Readonly<Record<'input' | 'output' | 'cacheRead' | 'cacheWrite', string>>

const ANTHROPIC: SeparateNames = {
  input: 'input_tokens',
  output: 'output_tokens',
  cacheRead: 'cache_read_input_tokens',
  cacheWrite: 'cache_creation_input_tokens',
}

const BEDROCK: SeparateNames = {
  input: 'inputTokens',
  output: 'outputTokens',
  cacheRead: 'cacheReadInputTokens',
  cacheWrite: 'cacheWriteInputTokens',
}

/** The input of Anthropic and Bedrock leaves out what the cache was used for. */
const separateCounts = (usage: JsonObject, names: SeparateNames): TokenCounts => {
  const cacheRead = number(usage, names.cacheRead)
  const cacheWrite = number(usage, names.cacheWrite)
  return {
    input: number(usage, names.input) + cacheRead + cacheWrite,
    output: number(usage, names.output),
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
