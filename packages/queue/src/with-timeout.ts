// A time limit for one call to the queue backend.

import { SwitchyardError } from '@switchyard/contracts'

/** ms */
const CALL_TIMEOUT_MS = 2_000

/**
 * Resolves with the result of the call, or rejects after 2 s when the backend has not answered.
 *
 * @param what - names the call in the error message, such as `adding a job`
 * @throws SwitchyardError `queue_unavailable` when the call fails or times out
 */
export const withTimeout = async <T>(call: Promise<T>, what: string): Promise<T> => {
  let timer: NodeJS.Timeout | undefined
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${CALL_TIMEOUT_MS} ms`)), CALL_TIMEOUT_MS)
  })
  try {
    return await Promise.race([call, timeout])
  } catch (error) {
    throw new SwitchyardError(
      'queue_unavailable',
      `${what} failed: ${error instanceof Error ? error.message : error}`,
      { cause: error },
    )
  } finally {
    clearTimeout(timer)
    // A call that fails after the timeout must not become an unhandled rejection.
    call.catch(() => {})
  }
}
