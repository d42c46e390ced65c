// How the turn of an idle session has ended.

import type { TaskError } from '@switchyard/contracts'
import { type OpenCodeFailure, type TurnEnd, type TurnSummary, toTaskError } from '@switchyard/opencode'

export type TurnJudgement =
  | { readonly kind: 'finished' }
  | { readonly kind: 'failed'; readonly error: TaskError | null }
  /** Its server was lost, or somebody aborted it. */
  | { readonly kind: 'interrupted'; readonly end: TurnEnd }

/**
 * @param sessionError - of the last `session.error` event; an unknown model is reported there and
 *   nowhere else.
 */
export const judgeTurn = (
  { end, error }: Pick<TurnSummary, 'end' | 'error'>,
  sessionError: OpenCodeFailure | null,
): TurnJudgement => {
  switch (end) {
    case 'finished':
      return { kind: 'finished' }
    case 'failed':
    case 'halted':
      return { kind: 'failed', error }
    case 'unanswered':
      return sessionError ? { kind: 'failed', error: toTaskError(sessionError) } : { kind: 'interrupted', end }
    case 'aborted':
    case 'open':
      return { kind: 'interrupted', end }
  }
}
