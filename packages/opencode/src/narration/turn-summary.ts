// What a turn came to: its answer, its tokens and cost, and how it ended, from the messages of its sessions.

import type { AssistantMessage, Part } from '@opencode-ai/sdk/v2'
import type { TaskError, Usage } from '@switchyard/contracts'
import type { SessionMessage } from '../client/session-types.ts'
import { toTaskError } from './task-error.ts'
import { bounded } from './text.ts'

/**
 * finished: the model gave its answer. failed: see `error`. aborted: somebody stopped it.
 * halted: it stopped at a tool call whose permission or question was rejected; see `error`.
 * open: the last answer is not complete, because it is still being made or its server died.
 * unanswered: the last prompt has no answer at all.
 */
export type TurnEnd = 'finished' | 'failed' | 'aborted' | 'halted' | 'open' | 'unanswered'

export type TurnSummary = {
  readonly end: TurnEnd
  /** The last answer of the agent, whole and without secrets removed: callers bound it. Empty if it said nothing. */
  readonly output: string
  /** Over all assistant messages of all sessions. */
  readonly usage: Usage
  /** US dollars, as OpenCode reckons it. */
  readonly cost: number
  /** Set where `end` is failed or halted. */
  readonly error: TaskError | null
  /** The model's own finish reason of the last answer, such as stop, length or tool-calls. */
  readonly finish: string | null
  /** provider/model of the last answer, where it is known. */
  readonly model: string | null
}

/**
 * Sums up the messages of the task's own session (the first list) and of its subagents (the others), each in their
 * session's order. How the turn ended is judged by the task's own session alone.
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
    // Sums of decimal fractions are exact to far less than a cent's millionth here.
    cost: Number(answers.reduce((sum, info) => sum + info.cost, 0).toFixed(10)),
    finish: answer?.finish ?? null,
    model: model?.role === 'assistant' && model.providerID !== '' ? `${model.providerID}/${model.modelID}` : null,
  }
}

/** OpenCode's token counts in the words of the task record. */
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
  // After a compaction the answer itself is still to come.
  if (answer.time.completed === undefined || answer.summary === true) return { end: 'open', error: null }
  switch (answer.finish) {
    // The answer that ran into a context overflow is closed without an error and without a finish; a compaction follows.
    case undefined:
      return { end: 'open', error: null }
    case 'length':
      return {
        end: 'failed',
        error: { code: 'output_limit', message: 'the model’s answer was cut at its output limit', retryable: false },
      }
    case 'error':
      return {
        end: 'failed',
        error: { code: 'model_error', message: 'the model broke off its answer', retryable: true },
      }
    case 'tool-calls':
      return haltedAt(parts)
    default:
      return { end: 'finished', error: null }
  }
}

// OpenCode ends the turn at a tool call only where a person said no; between two steps it looks the same.
const haltedAt = (parts: readonly Part[]): Verdict => {
  const refusal = parts.findLast(
    (part) => part.type === 'tool' && part.state.status === 'error' && isRefusal(part.state.error),
  )
  if (refusal?.type !== 'tool' || refusal.state.status !== 'error') return { end: 'open', error: null }
  return {
    end: 'halted',
    error: {
      code: 'request_rejected',
      message: `${refusal.tool}: ${bounded(refusal.state.error, 500).text}`,
      retryable: false,
    },
  }
}

const isRefusal = (error: string): boolean => /rejected permission|dismissed this question/i.test(error)

const outputOf = (messages: readonly SessionMessage[]): string => {
  const spoken = messages.findLast(
    ({ info, parts }) => info.role === 'assistant' && info.summary !== true && textOf(parts) !== '',
  )
  return spoken ? textOf(spoken.parts) : ''
}

const textOf = (parts: readonly Part[]): string =>
  parts
    .flatMap((part) => (part.type === 'text' && !part.synthetic && !part.ignored ? [part.text] : []))
    .join('\n')
    .trim()
