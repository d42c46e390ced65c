// Delays between retries: exponential, with jitter, up to a maximum.

import { setTimeout as delay } from 'node:timers/promises'
import { decorrelatedJitterGenerator, ExponentialBackoff, type IBackoff } from 'cockatiel'

export type BackoffOptions = {
  /** The first delay before jitter, ms. */
  readonly baseMs: number
  /** The longest delay, ms. */
  readonly maxMs: number
}

export type Backoff = {
  /** Waits longer each time. Returns early, without an error, when the signal fires. */
  readonly wait: (signal: AbortSignal) => Promise<void>
  /** Makes the next delay the first one again. */
  readonly reset: () => void
}

/** Creates the delays of a loop that retries until it is stopped. Calls with a retry limit use `backoffPolicy`. */
export const createBackoff = (options: BackoffOptions): Backoff => {
  const policy = backoffPolicy(options)
  let current: IBackoff<unknown> | undefined
  return {
    wait: async (signal) => {
      current = current ? current.next(undefined) : policy.next()
      await delay(current.duration, undefined, { signal }).catch(() => undefined)
    },
    reset: () => {
      current = undefined
    },
  }
}

export const backoffPolicy = (options: BackoffOptions) =>
  new ExponentialBackoff({
    generator: decorrelatedJitterGenerator,
    initialDelay: options.baseMs,
    maxDelay: options.maxMs,
  })
