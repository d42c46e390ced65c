// Waits for a condition or a result, with a time limit.

import { setTimeout as delay } from 'node:timers/promises'

/**
 * Calls `check` until it returns something other than undefined or false. An error counts as
 * undefined.
 *
 * @param what - the awaited condition, for the error message
 * @throws Error with `what` and the last failure after `timeoutMs`
 */
export const waitUntil = async <T>(
  what: string,
  check: () => Promise<T | undefined | false> | T | undefined | false,
  timeoutMs: number,
  everyMs = 50,
): Promise<T> => {
  const end = Date.now() + timeoutMs
  let failure = ''
  for (;;) {
    try {
      const result = await check()
      if (result !== undefined && result !== false) return result
      failure = ''
    } catch (error) {
      failure = `: ${error instanceof Error ? error.message : error}`
    }
    if (Date.now() >= end) throw new Error(`timed out after ${timeoutMs} ms waiting until ${what}${failure}`)
    await delay(everyMs)
  }
}

/** Returns the result, or undefined after `timeoutMs`. Does not stop the work. */
export const withTimeout = async <T>(work: Promise<T>, timeoutMs: number): Promise<T | undefined> => {
  const limit = new AbortController()
  try {
    return await Promise.race([work, delay(timeoutMs, undefined, { signal: limit.signal }).catch(() => undefined)])
  } finally {
    limit.abort()
  }
}
