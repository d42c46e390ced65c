// The outcome of one attempt to deliver.

import type { DeliveryFailureCode } from '@switchyard/contracts'

export type Failed = {
  readonly kind: 'failed'
  readonly code: DeliveryFailureCode
  /** What went wrong, for a person. It contains no secret and nothing of the target's response but the status. */
  readonly message: string
  readonly httpStatus: number | null
  /** How long the target asks us to wait, ms. */
  readonly retryAfterMs: number | null
  /** True if the target's host as a whole failed, not only one path or room on it. */
  readonly isUnreachable: boolean
}

/** Not delivered yet, without a failure: the target is busy with this message or another one. */
export type Waiting = {
  readonly kind: 'waiting'
  /** When to check again, ms. */
  readonly afterMs: number
  /** Why the target does not accept the message yet; null once it has accepted it. */
  readonly reason: Reason | null
  /** The target's id of the work that processes the message; pass it to the next attempt. */
  readonly runId: string | null
}

/** The notification is no longer needed. */
export type Skipped = { readonly kind: 'skipped'; readonly reason: Reason }

type Reason = { readonly code: DeliveryFailureCode; readonly message: string }

export type Outcome = { readonly kind: 'delivered' } | Failed | Waiting | Skipped

export const waiting = (afterMs: number, more: Partial<Pick<Waiting, 'reason' | 'runId'>> = {}): Waiting => ({
  kind: 'waiting',
  afterMs,
  reason: null,
  runId: null,
  ...more,
})

export const failed = (
  code: DeliveryFailureCode,
  message: string,
  more: Partial<Pick<Failed, 'httpStatus' | 'retryAfterMs' | 'isUnreachable'>> = {},
): Failed => ({ kind: 'failed', code, message, httpStatus: null, retryAfterMs: null, isUnreachable: false, ...more })
