// Converts the errors of a homeserver to outcomes with a code.

import { ConnectionError, HTTPError, MatrixError } from 'matrix-js-sdk/lib/http-api/index.js'
import { type Failed, failed } from '../outcome.ts'
import { RateLimited } from './rate-limiter.ts'

/** A failure that only the sequence of several responses reveals. */
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

/** Used if the server limits us without a delay, ms. */
const DEFAULT_WAIT_MS = 5_000

/** Returns the delay that a rate limit error asks for, ms; null for any other error. */
export const rateLimitDelayOf = (error: unknown): number | null => {
  if (!(error instanceof HTTPError) || !error.isRateLimitError()) return null
  try {
    return error.getRetryAfterMs() ?? DEFAULT_WAIT_MS
  } catch {
    return DEFAULT_WAIT_MS
  }
}

/** Returns the homeserver's message without the URL that the library adds, shortened for the record. */
export const errorText = (error: unknown): string => {
  if (error instanceof MatrixError) return `${error.errcode}: ${error.error ?? ''}`.slice(0, 300)
  return error instanceof HTTPError ? `the homeserver answered ${error.httpStatus}` : 'connection failed'
}

/** Returns the system error code, which `Homeserver` puts into the message. */
const codeOf = (error: ConnectionError): string =>
  /: ([A-Z][A-Z_]{3,60})$/.exec(error.message)?.[1] ?? 'connection closed'

/** The homeserver as a whole failed, not one room. */
const WHOLE_SERVER = { isUnreachable: true }

const NOT_FOUND = /^(ENOTFOUND|EAI_AGAIN|EAI_NODATA)$/
const TLS = /^(ERR_TLS_|ERR_SSL_|CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|EPROTO$)/

const failureOfConnection = (error: ConnectionError): Failed => {
  const code = codeOf(error)
  if (NOT_FOUND.test(code))
    return failed('target_not_found', `host name of the homeserver not found: ${code}`, WHOLE_SERVER)
  if (TLS.test(code)) return failed('tls_failed', `TLS connection to the homeserver failed: ${code}`, WHOLE_SERVER)
  return failed('connection_failed', `connection to the homeserver failed: ${code}`, WHOLE_SERVER)
}

/**
 * Returns the failure for an error of the homeserver.
 *
 * @param timeoutMs - limit of the delivery, for the message.
 * @throws any other error unchanged, such as one of the database
 */
export const failureOf = (error: unknown, timeoutMs: number): Failed => {
  if (error instanceof MatrixFailure) return error.failed
  if (error instanceof RateLimited)
    return failed('rate_limited', error.message, { httpStatus: 429, retryAfterMs: error.retryAfterMs })
  if (isErrcode(error, 'M_UNKNOWN_TOKEN', 'M_MISSING_TOKEN', 'M_USER_DEACTIVATED'))
    return failed('matrix_token_invalid', errorText(error), { httpStatus: 401, ...WHOLE_SERVER })
  const waitMs = rateLimitDelayOf(error)
  if (waitMs !== null) return failed('rate_limited', errorText(error), { httpStatus: 429, retryAfterMs: waitMs })
  if (error instanceof HTTPError) {
    const status = error.httpStatus ?? 0
    const httpStatus = { httpStatus: status }
    if (status >= 500) return failed('http_error', errorText(error), { ...httpStatus, ...WHOLE_SERVER })
    return failed('matrix_refused', errorText(error), httpStatus)
  }
  if (error instanceof Error && /^(TimeoutError|AbortError)$/.test(error.name))
    return failed('timed_out', `the homeserver did not answer within ${timeoutMs} ms`, WHOLE_SERVER)
  if (error instanceof ConnectionError) return failureOfConnection(error)
  throw error
}
