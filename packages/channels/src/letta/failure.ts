// Why a call of Letta's failed, told so that a person can do something about it.

import { APIConnectionTimeoutError, APIError, APIUserAbortError } from '@letta-ai/letta-client'
import { type Failed, failed } from '../outcome.ts'
import { retryAfterMs } from '../retry-after.ts'
import { failureOfError } from '../webhook-failure.ts'

/** The status of an answer that was no success; null where there was none. */
export const statusOf = (error: unknown): number | null => (error instanceof APIError ? (error.status ?? null) : null)

/** What broke the connection is some causes down. */
const rootOf = (error: unknown): unknown => {
  let at = error
  for (let depth = 0; depth < 5 && at instanceof Error && at.cause !== undefined; depth += 1) at = at.cause
  return at
}

const isTimeout = (error: unknown): boolean =>
  error instanceof APIUserAbortError || error instanceof APIConnectionTimeoutError

const codeOfStatus = (status: number) => {
  if (status === 401 || status === 403) return 'letta_token_refused'
  if (status === 409) return 'agent_busy'
  if (status === 429) return 'rate_limited'
  return 'http_error'
}

/** @param timeoutMs - how long the call had. */
export const failureOf = (error: unknown, timeoutMs: number): Failed => {
  if (isTimeout(error)) return failed('timed_out', `no answer within ${timeoutMs} ms`, { isUnreachable: true })
  const status = statusOf(error)
  if (status === null) return failureOfError(rootOf(error), timeoutMs)
  const after = error instanceof APIError ? (error.headers?.get('retry-after') ?? undefined) : undefined
  return failed(codeOfStatus(status), `Letta answered ${status}`, {
    httpStatus: status,
    retryAfterMs: retryAfterMs(after, Date.now()),
  })
}
