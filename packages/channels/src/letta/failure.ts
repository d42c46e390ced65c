// Converts failed calls to Letta to outcomes with a code.

import { APIConnectionTimeoutError, APIError, APIUserAbortError } from '@letta-ai/letta-client'
import { type Failed, failed } from '../outcome.ts'
import { retryAfterMs } from '../retry-after.ts'
import { failureOfError } from '../webhook-failure.ts'

/** Returns the status of an error response; null if there was no response. */
export const statusOf = (error: unknown): number | null => (error instanceof APIError ? (error.status ?? null) : null)

/** Returns the innermost cause, which has the code of the system error. */
const rootCauseOf = (error: unknown): unknown => {
  let cause = error
  for (let depth = 0; depth < 5 && cause instanceof Error && cause.cause !== undefined; depth += 1) cause = cause.cause
  return cause
}

const isTimeout = (error: unknown): boolean =>
  error instanceof APIUserAbortError || error instanceof APIConnectionTimeoutError

const codeOfStatus = (status: number) => {
  if (status === 401 || status === 403) return 'letta_token_refused'
  if (status === 409) return 'agent_busy'
  if (status === 429) return 'rate_limited'
  return 'http_error'
}

/** @param timeoutMs - limit of the call, for the message. */
export const failureOf = (error: unknown, timeoutMs: number): Failed => {
  if (isTimeout(error)) return failed('timed_out', `no answer within ${timeoutMs} ms`, { isUnreachable: true })
  const status = statusOf(error)
  if (status === null) return failureOfError(rootCauseOf(error), timeoutMs)
  const after = error instanceof APIError ? (error.headers?.get('retry-after') ?? undefined) : undefined
  return failed(codeOfStatus(status), `Letta answered ${status}`, {
    httpStatus: status,
    retryAfterMs: retryAfterMs(after, Date.now()),
  })
}
