// Makes one call to an OpenCode server: with a time limit, a retry where that is safe, and typed errors.

import { SwitchyardError } from '@switchyard/contracts'
import { handleWhen, retry } from 'cockatiel'
import { backoffPolicy } from '../connection/backoff.ts'
import { isConnectionRefused, toUnavailable } from '../connection/connection-errors.ts'

/** What the SDK returns when it does not throw. */
export type SdkResult<T> = {
  readonly data?: T | undefined
  readonly error?: unknown
  readonly response?: Response | undefined
}

export type OpenCodeCallOptions = {
  readonly signal?: AbortSignal | undefined
  /** The time limit of each try, ms. Defaults to 30 s, because a burst of cold directories stalls the server for several. */
  readonly timeoutMs?: number | undefined
}

export type CallPolicy = {
  /** How often a failed call is repeated. */
  readonly maxRetries: number
  /** The delay before the first retry, ms. It grows, with jitter. */
  readonly retryDelayMs: number
  /** The time limit of each try, ms. */
  readonly timeoutMs: number
}

/**
 * `always`: the call reads, or repeating it changes nothing more. `unsent`: it is repeated only when nothing listens on the
 * server's port, so the server cannot have received it.
 */
export type Repeatable = 'always' | 'unsent'

export type Call = ReturnType<typeof createCaller>

const MAX_RETRY_DELAY_MS = 10_000

/** What a proxy answers while the server behind it is unreachable. None of the routes used here answers so itself. */
const PROXY_STATUSES: ReadonlySet<number> = new Set([502, 503, 504])

/**
 * Returns a function that makes calls by this policy. Its first argument is an infinitive for error messages, such as
 * `read the session`.
 */
export const createCaller =
  (policy: CallPolicy) =>
  <T>(
    what: string,
    repeatable: Repeatable,
    options: OpenCodeCallOptions,
    act: (signal: AbortSignal) => Promise<SdkResult<T>>,
  ): Promise<T> => {
    const attempts = retry(
      handleWhen((error) => mayRepeat(error, repeatable)),
      {
        maxAttempts: policy.maxRetries,
        backoff: backoffPolicy({ baseMs: policy.retryDelayMs, maxMs: MAX_RETRY_DELAY_MS }),
      },
    )
    const once = () => callOnce(`could not ${what}`, options.signal, options.timeoutMs ?? policy.timeoutMs, act)
    return policy.maxRetries > 0 ? attempts.execute(once, options.signal) : once()
  }

const mayRepeat = (error: unknown, repeatable: Repeatable): boolean =>
  error instanceof SwitchyardError &&
  error.code === 'opencode_unavailable' &&
  error.retryable &&
  (repeatable === 'always' || error.context.refused === true)

const callOnce = async <T>(
  failure: string,
  signal: AbortSignal | undefined,
  timeoutMs: number,
  act: (signal: AbortSignal) => Promise<SdkResult<T>>,
): Promise<T> => {
  signal?.throwIfAborted()
  const timeout = AbortSignal.timeout(timeoutMs)
  let result: SdkResult<T>
  try {
    result = await act(signal ? AbortSignal.any([signal, timeout]) : timeout)
  } catch (error) {
    // The SDK throws for an HTML answer, which OpenCode sends for routes that it does not have.
    signal?.throwIfAborted()
    throw thrownError(failure, error)
  }
  if (result.response?.ok && result.error === undefined) return result.data as T
  signal?.throwIfAborted()
  if (result.response === undefined) throw thrownError(failure, result.error)
  throw answeredError(failure, result.response.status, result.error)
}

const thrownError = (failure: string, error: unknown): SwitchyardError => {
  if (error instanceof SwitchyardError) return error
  if (error instanceof Error && error.message.includes('text/html')) {
    return new SwitchyardError('opencode_error', `${failure}: this OpenCode server does not have the route`, {
      hint: 'Use the OpenCode version that Switchyard pins; see packages/opencode/package.json.',
      retryable: false,
      cause: error,
    })
  }
  return toUnavailable(error, failure, { refused: isConnectionRefused(error) })
}

const answeredError = (failure: string, status: number, body: unknown): SwitchyardError => {
  const reason = reasonIn(body)
  const context = { status }
  if (status === 404 && /session/i.test(reason)) {
    return new SwitchyardError('session_lost', `${failure}: ${reason}`, { context })
  }
  if (status === 401) {
    return new SwitchyardError('opencode_unavailable', `${failure}: the server rejected the password`, {
      hint: 'Set OPENCODE_SERVER_PASSWORD to the password that the OpenCode server was started with.',
      context,
    })
  }
  if (PROXY_STATUSES.has(status))
    return new SwitchyardError('opencode_unavailable', `${failure}: status ${status}`, { context })
  return new SwitchyardError('opencode_error', `${failure}: ${reason || `status ${status}`}`, {
    retryable: status >= 500 || status === 408 || status === 429,
    context,
  })
}

/** OpenCode's errors are `{ name, data: { message } }` or `{ _tag, message }`. */
const reasonIn = (body: unknown): string => {
  if (typeof body === 'string') return body.slice(0, 500)
  if (typeof body !== 'object' || body === null) return ''
  if ('data' in body) {
    const inner = reasonIn(body.data)
    if (inner !== '') return inner
  }
  return 'message' in body && typeof body.message === 'string' ? body.message.slice(0, 500) : ''
}
