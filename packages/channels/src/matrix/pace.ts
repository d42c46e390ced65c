// How fast a homeserver may be called: a few calls at once, and what it says with M_LIMIT_EXCEEDED holds for all of them.

import { setTimeout as delay } from 'node:timers/promises'

/** The time that a piece of work has. */
export type Limits = {
  readonly signal: AbortSignal
  /** When it runs out, ms since the epoch. */
  readonly until: number
}

export const within = (ms: number, signal?: AbortSignal): Limits => {
  const timeout = AbortSignal.timeout(ms)
  return { signal: signal ? AbortSignal.any([timeout, signal]) : timeout, until: Date.now() + ms }
}

/** The server allows no more for now, and the time of the work ends before it does again. */
export class LimitExceeded extends Error {
  readonly retryAfterMs: number

  constructor(retryAfterMs: number) {
    super(`the homeserver asks to wait ${retryAfterMs} ms`)
    this.name = 'LimitExceeded'
    this.retryAfterMs = retryAfterMs
  }
}

/** As many deliveries as the notifier sends at once, so that none of them waits here for its turn. */
const AT_ONCE = 8
/** After a limit so long one call at a time: more of them would only be refused, ms. */
const NARROW_MS = 10_000

export class Pace {
  readonly #waiting: (() => void)[] = []
  #running = 0
  #closedUntil = 0
  #narrowUntil = 0

  /** Whether the server has said lately that it is too much. */
  get isLimited(): boolean {
    return Date.now() < this.#narrowUntil
  }

  /**
   * Makes a call once there is room for it; one that the server puts off is made again, as long as its time allows.
   *
   * @param askedToWait - how long a failure of the call asks to wait, ms; null for any other failure.
   * @throws LimitExceeded, and what the call throws.
   */
  async run<T>(
    limits: Limits,
    call: (signal: AbortSignal) => Promise<T>,
    askedToWait: (error: unknown) => number | null,
  ): Promise<T> {
    await this.#enter()
    try {
      for (;;) {
        await this.#untilOpen(limits)
        try {
          return await call(limits.signal)
        } catch (error) {
          const waitMs = askedToWait(error)
          if (waitMs === null) throw error
          this.#closedUntil = Math.max(this.#closedUntil, Date.now() + waitMs)
          this.#narrowUntil = this.#closedUntil + NARROW_MS
        }
      }
    } finally {
      this.#running -= 1
      this.#admit()
    }
  }

  async #enter(): Promise<void> {
    const entered = Promise.withResolvers<void>()
    this.#waiting.push(entered.resolve)
    this.#admit()
    await entered.promise
  }

  #admit(): void {
    const width = this.isLimited ? 1 : AT_ONCE
    while (this.#running < width) {
      const next = this.#waiting.shift()
      if (!next) return
      this.#running += 1
      next()
    }
  }

  async #untilOpen({ signal, until }: Limits): Promise<void> {
    for (;;) {
      const waitMs = this.#closedUntil - Date.now()
      if (waitMs <= 0 && Date.now() < until) return
      if (Date.now() + waitMs >= until) throw new LimitExceeded(Math.max(waitMs, 1))
      await delay(waitMs, undefined, { signal })
    }
  }
}
