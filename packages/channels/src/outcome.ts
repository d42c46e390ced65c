// What came of one attempt to deliver.

import type { DeliveryFailureCode } from '@switchyard/contracts'

export type Failed = {
  readonly kind: 'failed'
  readonly code: DeliveryFailureCode
  /** What happened, for a person; never a secret, never what the target answered beyond its status. */
  readonly message: string
  readonly httpStatus: number | null
  /** How long the target asks us to wait, ms. */
  readonly retryAfterMs: number | null
  /** Nothing of the target answered: its host is to blame, whatever the path. */
  readonly isUnreachable: boolean
}

/** Not yet, and nothing has failed: the target is at work, on this or on something else. */
export type Waiting = {
  readonly kind: 'waiting'
  /** When to look again, ms. */
  readonly afterMs: number
  /** What it waits for; null where the target has it. */
  readonly why: Reason | null
  /** What the target calls the work that has it; to be given back at the next attempt. */
  readonly runId: string | null
}

/** Nobody needs it any more. */
export type Skipped = { readonly kind: 'skipped'; readonly why: Reason }

type Reason = { readonly code: DeliveryFailureCode; readonly message: string }

export type Outcome = { readonly kind: 'arrived' } | Failed | Waiting | Skipped

export const waiting = (afterMs: number, more: Partial<Pick<Waiting, 'why' | 'runId'>> = {}): Waiting => ({
  kind: 'waiting',
  afterMs,
  why: null,
  runId: null,
  ...more,
})

export const failed = (
  code: DeliveryFailureCode,
  message: string,
  more: Partial<Pick<Failed, 'httpStatus' | 'retryAfterMs' | 'isUnreachable'>> = {},
): Failed => ({ kind: 'failed', code, message, httpStatus: null, retryAfterMs: null, isUnreachable: false, ...more })
