// One call to the server: a limit on its time, a retry where that is safe, and errors that a caller can act on.

import { SwitchyardError } from '@switchyard/contracts'
import { handleWhen, retry } from 'cockatiel'
import { backoffPolicy } from '../connection/backoff.ts'
import { isConnectionRefused, toUnavailable } from '../connection/connection-errors.ts'

/** What the SDK returns when it is told not to throw. */
export type SdkResult<T> = {
  readonly data?: T | undefined
  readonly error?: unknown
  readonly response?: Response | undefined
}

export type OpenCodeCallOptions = {
  readonly signal?: AbortSignal | undefined
  /** Milliseconds for each try; default 30 s, since a burst of cold directories stalls the server for several. */
  readonly timeoutMs?: number | undefined
}

export type CallPolicy = {
  /** Tries after the first. */
  readonly maxRetries: number
  /** Milliseconds before the first of them; it grows, with jitter. */
  readonly retryDelayMs: number
  readonly timeoutMs: number
}

/**
 * `always`: reading, or writing that does nothing more the second time.
 * `unsent`: only while nobody listens, so that the server cannot have seen it.
 */
export type Repeatable = 'always' | 'unsent'

const MAX_RETRY_DELAY_MS = 10_000

/** @returns a function that makes calls by this policy. */
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
    const once = () => callOnce(what, options.signal, options.timeoutMs ?? policy.timeoutMs, act)
    return policy.maxRetries > 0 ? attempts.execute(once, options.signal) : once()
  }

const mayRepeat = (error: unknown, repeatable: Repeatable): boolean =>
  error instanceof SwitchyardError &&
  error.code === 'opencode_unavailable' &&
  error.retryable &&
  (repeatable === 'always' || error.context.refused === true)

const callOnce = async <T>(
  what: string,
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
    // The SDK throws for an answer in HTML, which is OpenCode's way to say that it does not know the route.
    signal?.throwIfAborted()
    throw thrownError(what, error)
  }
  if (result.response?.ok && result.error === undefined) return result.data as T
  signal?.throwIfAborted()
  if (result.response === undefined) throw thrownError(what, result.error)
  throw answeredError(what, result.response.status, result.error)
}

const thrownError = (what: string, error: unknown): SwitchyardError => {
  if (error instanceof SwitchyardError) return error
  if (error instanceof Error && error.message.includes('text/html')) {
    return new SwitchyardError('opencode_error', `${what}: this OpenCode server does not know the call`, {
      hint: 'Use the OpenCode version that Switchyard pins; see packages/opencode/package.json.',
      retryable: false,
      cause: error,
    })
  }
  return toUnavailable(error, what, { refused: isConnectionRefused(error) })
}

const answeredError = (what: string, status: number, body: unknown): SwitchyardError => {
  const reason = reasonIn(body)
  const context = { status }
  if (status === 404 && /session/i.test(reason)) {
    return new SwitchyardError('session_lost', `${what}: ${reason}`, { context })
  }
  if (status === 401) {
    return new SwitchyardError('opencode_error', `${what}: the server does not accept the password`, {
      hint: 'Set OPENCODE_SERVER_PASSWORD to the password that the OpenCode server was started with.',
      retryable: false,
      context,
    })
  }
  return new SwitchyardError('opencode_error', `${what}: ${reason || `status ${status}`}`, {
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
