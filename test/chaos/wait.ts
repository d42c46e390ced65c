// Waiting for a condition, never for ever.

import { setTimeout as delay } from 'node:timers/promises'

/**
 * Asks until there is an answer other than undefined or false. A question that throws counts as no answer yet.
 *
 * @throws Error naming `what`, and the last failure, when `timeoutMs` is over.
 */
export const until = async <T>(
  what: string,
  ask: () => Promise<T | undefined | false> | T | undefined | false,
  timeoutMs: number,
  everyMs = 50,
): Promise<T> => {
  const end = Date.now() + timeoutMs
  let failure = ''
  for (;;) {
    try {
      const answer = await ask()
      if (answer !== undefined && answer !== false) return answer
      failure = ''
    } catch (error) {
      failure = `: ${error instanceof Error ? error.message : error}`
    }
    if (Date.now() >= end) throw new Error(`${what}: not within ${timeoutMs} ms${failure}`)
    await delay(everyMs)
  }
}

/** The result, or undefined where it takes longer. What it does meanwhile is not stopped. */
export const within = async <T>(work: Promise<T>, timeoutMs: number): Promise<T | undefined> => {
  const limit = new AbortController()
  try {
    return await Promise.race([work, delay(timeoutMs, undefined, { signal: limit.signal }).catch(() => undefined)])
  } finally {
    limit.abort()
  }
}
