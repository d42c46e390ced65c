// Summarizes a turn from the messages of its sessions: its answer, tokens, cost, and how it ended.

import type { AssistantMessage, Part } from '@opencode-ai/sdk/v2'
import type { TaskError, Usage } from '@switchyard/contracts'
import type { SessionMessage } from '../client/session-types.ts'
import { OUTPUT_LIMIT_REACHED, toTaskError } from './task-error.ts'
import { boundedText } from './text.ts'

/**
 * `finished`: the model gave its answer. `failed`: see `error`. `aborted`: it was stopped. `halted`: it stopped at a tool
 * call whose permission or question was rejected; see `error`. `open`: the last answer is incomplete, because the turn is
 * still running or its server died. `unanswered`: the last prompt has no answer.
 */
export type TurnEnd = 'finished' | 'failed' | 'aborted' | 'halted' | 'open' | 'unanswered'

export type TurnSummary = {
  readonly end: TurnEnd
  /** The agent's last answer, complete and unmasked: callers bound it. Empty if there is none. */
  readonly output: string
  /** The sum over all assistant messages of all sessions. */
  readonly usage: Usage
  /** US dollars, as calculated by OpenCode. */
  readonly cost: number
  /** Set when `end` is `failed` or `halted`. */
  readonly error: TaskError | null
  /** The model's finish reason of the last answer, such as `stop`, `length` or `tool-calls`. */
  readonly finish: string | null
  /** The `provider/model` of the last answer, if known. */
  readonly model: string | null
}

/**
 * Summarizes a turn. Its end is that of the task's own session; tokens and cost include those of subagents.
 *
 * @param sessions - the messages of the task's own session first, then those of its subagents, each oldest first
 */
export const summariseTurn = (sessions: readonly (readonly SessionMessage[])[]): TurnSummary => {
  const root = sessions[0] ?? []
  const answers = sessions.flat().flatMap(({ info }) => (info.role === 'assistant' ? [info] : []))
  const last = root.at(-1)
  const answer = last?.info.role === 'assistant' ? last.info : undefined
  const { end, error } = answer && last ? judge(answer, last.parts) : { end: 'unanswered' as const, error: null }
  const model = root.findLast(({ info }) => info.role === 'assistant')?.info
  return {
    end,
    error,
    output: outputOf(root),
    usage: answers.map((info) => toUsage(info.tokens)).reduce(addUsage, NO_USAGE),
    // Rounds away the error of adding decimal fractions.
    cost: Number(answers.reduce((sum, info) => sum + info.cost, 0).toFixed(10)),
    finish: answer?.finish ?? null,
    model: model?.role === 'assistant' && model.providerID !== '' ? `${model.providerID}/${model.modelID}` : null,
  }
}

/** Converts OpenCode's token counts to the fields of the task record. */
export const toUsage = (tokens: AssistantMessage['tokens']): Usage => ({
  input: Math.round(tokens.input),
  output: Math.round(tokens.output),
  reasoning: Math.round(tokens.reasoning),
  cache_read: Math.round(tokens.cache.read),
  cache_write: Math.round(tokens.cache.write),
})

const NO_USAGE: Usage = { input: 0, output: 0, reasoning: 0, cache_read: 0, cache_write: 0 }

const addUsage = (a: Usage, b: Usage): Usage => ({
  input: a.input + b.input,
  output: a.output + b.output,
  reasoning: a.reasoning + b.reasoning,
  cache_read: a.cache_read + b.cache_read,
  cache_write: a.cache_write + b.cache_write,
})

type Verdict = { readonly end: TurnEnd; readonly error: TaskError | null }

const judge = (answer: AssistantMessage, parts: readonly Part[]): Verdict => {
  if (answer.error?.name === 'MessageAbortedError') return { end: 'aborted', error: null }
  if (answer.error) return { end: 'failed', error: toTaskError(answer.error) }
  // A summary message is followed by the answer itself.
  if (answer.time.completed === undefined || answer.summary === true) return { end: 'open', error: null }
  switch (answer.finish) {
    // After a context overflow the answer ends without an error and a finish reason; a compaction follows.
    case undefined:
      return { end: 'open', error: null }
    case 'length':
      return {
        end: 'failed',
        error: { code: 'output_limit', message: OUTPUT_LIMIT_REACHED, retryable: false },
      }
    case 'error':
      return {
        end: 'failed',
        error: { code: 'model_error', message: 'the model stopped in the middle of its answer', retryable: true },
      }
    case 'tool-calls':
      return haltedAt(parts)
    default:
      return { end: 'finished', error: null }
  }
}

// A turn ends at a tool call only when a person rejected a request; between two steps the messages look the same.
const haltedAt = (parts: readonly Part[]): Verdict => {
  const refusal = parts.findLast(
    (part) => part.type === 'tool' && part.state.status === 'error' && isRefusal(part.state.error),
  )
  if (refusal?.type !== 'tool' || refusal.state.status !== 'error') return { end: 'open', error: null }
  return {
    end: 'halted',
    error: {
      code: 'request_rejected',
      message: `${refusal.tool}: ${boundedText(refusal.state.error, 500).text}`,
      retryable: false,
    },
  }
}

const isRefusal = (error: string): boolean => /rejected permission|dismissed this question/i.test(error)

const outputOf = (messages: readonly SessionMessage[]): string => {
  const answer = messages.findLast(
    ({ info, parts }) => info.role === 'assistant' && info.summary !== true && textOf(parts) !== '',
  )
  return answer ? textOf(answer.parts) : ''
}

const textOf = (parts: readonly Part[]): string =>
  parts
    .flatMap((part) => (part.type === 'text' && !part.synthetic && !part.ignored ? [part.text] : []))
    .join('\n')
    .trim()
