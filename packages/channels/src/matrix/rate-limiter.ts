// Limits the calls to a homeserver: a few at a time, and none while M_LIMIT_EXCEEDED asks to wait.

import { setTimeout as delay } from 'node:timers/promises'

/** The time limit of an operation with all its calls. */
export type Deadline = {
  readonly signal: AbortSignal
  /** ms since the epoch */
  readonly at: number
}

/** @param signal - aborts the operation earlier. */
export const deadlineIn = (ms: number, signal?: AbortSignal): Deadline => {
  const timeout = AbortSignal.timeout(ms)
  return { signal: signal ? AbortSignal.any([timeout, signal]) : timeout, at: Date.now() + ms }
}

/** The server allows no more calls before the deadline of the operation. */
export class RateLimited extends Error {
  readonly retryAfterMs: number

  constructor(retryAfterMs: number) {
    super(`the homeserver asks to wait ${retryAfterMs} ms`)
    this.name = 'RateLimited'
    this.retryAfterMs = retryAfterMs
  }
}

/** The number of deliveries that the notifier sends at a time, so that none of them waits here. */
const CONCURRENCY = 8
/** After a limit, calls go one at a time for this long, because the server would refuse more, ms. */
const CAREFUL_MS = 10_000

export class RateLimiter {
  readonly #waiting: (() => void)[] = []
  #running = 0
  #blockedUntil = 0
  #carefulUntil = 0

  /** Whether the server has recently refused a call because of its limit. */
  get isLimited(): boolean {
    return Date.now() < this.#carefulUntil
  }

  /**
   * Runs a call when there is capacity, and repeats it while the server asks to wait, until the deadline.
   *
   * @param delayOf - returns the delay that a failed call asks for, ms; null for any other failure.
   * @throws RateLimited, and the errors of the call
   */
  async run<T>(
    deadline: Deadline,
    call: (signal: AbortSignal) => Promise<T>,
    delayOf: (error: unknown) => number | null,
  ): Promise<T> {
    await this.#acquire()
    try {
      for (;;) {
        await this.#waitUntilAllowed(deadline)
        try {
          return await call(deadline.signal)
        } catch (error) {
          const waitMs = delayOf(error)
          if (waitMs === null) throw error
          this.#blockedUntil = Math.max(this.#blockedUntil, Date.now() + waitMs)
          this.#carefulUntil = this.#blockedUntil + CAREFUL_MS
        }
      }
    } finally {
      this.#running -= 1
      this.#startWaiting()
    }
  }

  async #acquire(): Promise<void> {
    const acquired = Promise.withResolvers<void>()
    this.#waiting.push(acquired.resolve)
    this.#startWaiting()
    await acquired.promise
  }

  #startWaiting(): void {
    const limit = this.isLimited ? 1 : CONCURRENCY
    while (this.#running < limit) {
      const next = this.#waiting.shift()
      if (!next) return
      this.#running += 1
      next()
    }
  }

  async #waitUntilAllowed({ signal, at }: Deadline): Promise<void> {
    for (;;) {
      const waitMs = this.#blockedUntil - Date.now()
      if (waitMs <= 0 && Date.now() < at) return
      if (Date.now() + waitMs >= at) throw new RateLimited(Math.max(waitMs, 1))
      await delay(waitMs, undefined, { signal })
    }
  }
}
