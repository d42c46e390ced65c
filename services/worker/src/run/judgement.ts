// What the messages of a session say about its turn: ended well, ended badly, broken off, or not begun.

import type { SessionMessage } from '@switchyard/opencode'

export type Judgement =
  /** The model's answer to the last prompt is complete. */
  | { readonly kind: 'completed' }
  /** OpenCode or the provider gave up. */
  | { readonly kind: 'failed' }
  /** Somebody aborted the turn. */
  | { readonly kind: 'aborted' }
  /** The turn stopped at a tool call: a permission was rejected. */
  | { readonly kind: 'halted' }
  /** The last answer was never finished: the turn runs, or its server died. */
  | { readonly kind: 'open' }
  /** No answer to the last prompt: it has not begun, or its server died. */
  | { readonly kind: 'unanswered' }

/**
 * Judges by the last assistant message after the last user message; idle events are only a hint to look.
 * `messages` are those of the root session in their own order.
 */
export const judge = (messages: readonly SessionMessage[]): Judgement => {
  const last = messages.findLast((message) => message.info.role === 'assistant' || message.info.role === 'user')?.info
  if (!last || last.role === 'user') return { kind: 'unanswered' }
  if (last.error) return last.error.name === 'MessageAbortedError' ? { kind: 'aborted' } : { kind: 'failed' }
  if (last.time.completed === undefined) return { kind: 'open' }
  if (last.finish === 'tool-calls') return { kind: 'halted' }
  return { kind: 'completed' }
}

/** Tells whether two looks at a session saw the same state. */
export const fingerprint = (messages: readonly SessionMessage[]): string => {
  const last = messages.at(-1)
  return `${messages.length}:${last?.info.id ?? ''}:${last?.parts.length ?? 0}`
}
