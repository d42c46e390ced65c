// Why something did not reach Matrix, told so that a person can do something about it.

import { ConnectionError, HTTPError, MatrixError } from 'matrix-js-sdk/lib/http-api/index.js'
import { type Failed, failed } from '../outcome.ts'
import { LimitExceeded } from './pace.ts'

/** A failure that is known by more than one answer of the homeserver. */
export class MatrixFailure extends Error {
  readonly failed: Failed

  constructor(reason: Failed) {
    super(reason.message)
    this.name = 'MatrixFailure'
    this.failed = reason
  }
}

export const isErrcode = (error: unknown, ...codes: readonly string[]): boolean =>
  error instanceof MatrixError && codes.includes(error.errcode ?? '')

/** Where the server puts us off and does not say for how long, ms. */
const DEFAULT_WAIT_MS = 5_000

/** How long a refusal for going too fast asks to wait, ms; null for any other failure. */
export const askedToWait = (error: unknown): number | null => {
  if (!(error instanceof HTTPError) || !error.isRateLimitError()) return null
  try {
    return error.getRetryAfterMs() ?? DEFAULT_WAIT_MS
  } catch {
    return DEFAULT_WAIT_MS
  }
}

/** The homeserver's own words, without the URL that the library adds; bounded, for they are kept. */
export const wordsOf = (error: unknown): string => {
  if (error instanceof MatrixError) return `${error.errcode}: ${error.error ?? ''}`.slice(0, 300)
  return error instanceof HTTPError ? `it answered ${error.httpStatus}` : 'no connection'
}

/** The code that `Homeserver` made the message; anything else is a connection that broke. */
const codeOf = (error: ConnectionError): string => /: ([A-Z][A-Z_]{3,60})$/.exec(error.message)?.[1] ?? 'broken off'

/** The whole homeserver is to blame, not one room: nothing else will arrive either. */
const EVERYWHERE = { isUnreachable: true }

const NOT_FOUND = /^(ENOTFOUND|EAI_AGAIN|EAI_NODATA)$/
const TLS = /^(ERR_TLS_|ERR_SSL_|CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|EPROTO$)/

const failureOfConnection = (error: ConnectionError): Failed => {
  const code = codeOf(error)
  if (NOT_FOUND.test(code))
    return failed('target_not_found', `the homeserver’s name was not found: ${code}`, EVERYWHERE)
  if (TLS.test(code)) return failed('tls_failed', `no TLS connection to the homeserver: ${code}`, EVERYWHERE)
  return failed('connection_failed', `no connection to the homeserver: ${code}`, EVERYWHERE)
}

/** @param timeoutMs - how long the delivery had. */
export const failureOf = (error: unknown, timeoutMs: number): Failed => {
  if (error instanceof MatrixFailure) return error.failed
  if (error instanceof LimitExceeded)
    return failed('rate_limited', error.message, { httpStatus: 429, retryAfterMs: error.retryAfterMs })
  if (isErrcode(error, 'M_UNKNOWN_TOKEN', 'M_MISSING_TOKEN', 'M_USER_DEACTIVATED'))
    return failed('matrix_token_invalid', wordsOf(error), { httpStatus: 401, ...EVERYWHERE })
  const waitMs = askedToWait(error)
  if (waitMs !== null) return failed('rate_limited', wordsOf(error), { httpStatus: 429, retryAfterMs: waitMs })
  if (error instanceof HTTPError) {
    const status = error.httpStatus ?? 0
    const httpStatus = { httpStatus: status }
    if (status >= 500) return failed('http_error', wordsOf(error), { ...httpStatus, ...EVERYWHERE })
    return failed('matrix_refused', wordsOf(error), httpStatus)
  }
  if (error instanceof Error && /^(TimeoutError|AbortError)$/.test(error.name))
    return failed('timed_out', `the homeserver did not answer within ${timeoutMs} ms`, EVERYWHERE)
  if (error instanceof ConnectionError) return failureOfConnection(error)
  // A mistake of ours, or the database: whoever sends has to know.
  throw error
}
