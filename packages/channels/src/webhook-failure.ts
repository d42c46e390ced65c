// Converts failed webhook calls to outcomes with a code.

import { type DeliveryFailureCode, systemErrorCode } from '@switchyard/contracts'
import { type Failed, failed } from './outcome.ts'
import { TargetNotAllowed } from './target-guard.ts'

const codeOfStatus = (status: number): DeliveryFailureCode => {
  if (status === 401 || status === 403) return 'unauthorized'
  if (status === 404) return 'endpoint_not_found'
  if (status === 410) return 'gone'
  if (status === 429) return 'rate_limited'
  return 'http_error'
}

export const failureOfStatus = (status: number, retryAfterMs: number | null): Failed =>
  failed(codeOfStatus(status), `the target answered ${status}`, { httpStatus: status, retryAfterMs })

const NOT_FOUND = /^(ENOTFOUND|EAI_AGAIN|EAI_NODATA)$/
const TLS = /^(ERR_TLS_|ERR_SSL_|CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|EPROTO$)/

/** @param timeoutMs - limit of the call, for the message. */
export const failureOfError = (error: unknown, timeoutMs: number): Failed => {
  if (error instanceof TargetNotAllowed) return failed('target_not_allowed', error.message)
  const unreachable = { isUnreachable: true }
  if (error instanceof Error && /^(TimeoutError|AbortError)$/.test(error.name))
    return failed('timed_out', `no answer within ${timeoutMs} ms`, unreachable)
  const code = systemErrorCode(error) ?? ''
  if (NOT_FOUND.test(code)) return failed('target_not_found', `host name not found: ${code}`, unreachable)
  if (TLS.test(code)) return failed('tls_failed', `TLS connection failed: ${code}`, unreachable)
  return failed('connection_failed', `connection failed: ${code || 'closed by the target'}`, unreachable)
}
