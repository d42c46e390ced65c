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

export type Outcome = { readonly kind: 'arrived' } | Failed

export const failed = (
  code: DeliveryFailureCode,
  message: string,
  more: Partial<Pick<Failed, 'httpStatus' | 'retryAfterMs' | 'isUnreachable'>> = {},
): Failed => ({ kind: 'failed', code, message, httpStatus: null, retryAfterMs: null, isUnreachable: false, ...more })
