// How long to wait before the next try: exponential, with jitter, up to a cap.

import { setTimeout as delay } from 'node:timers/promises'
import { decorrelatedJitterGenerator, ExponentialBackoff, type IBackoff } from 'cockatiel'

export type BackoffOptions = {
  /** Milliseconds of the first wait, before jitter. */
  readonly baseMs: number
  /** No wait is longer, in milliseconds. */
  readonly maxMs: number
}

export type Backoff = {
  /** Waits a little longer than the last time; returns early, without an error, when the signal fires. */
  readonly wait: (signal: AbortSignal) => Promise<void>
  /** The next wait is the first one again. */
  readonly reset: () => void
}

/** For loops that never give up; calls with a limit use a retry policy instead. */
export const createBackoff = (options: BackoffOptions): Backoff => {
  const factory = backoffPolicy(options)
  let current: IBackoff<unknown> | undefined
  return {
    wait: async (signal) => {
      current = current ? current.next(undefined) : factory.next()
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
