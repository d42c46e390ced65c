// Decides when a turn is stuck: without a sign of work it is nudged once, then it is stopped.

export type Progress = 'working' | 'nudge' | 'stuck'

export class ProgressMonitor {
  readonly #stuckMs: number
  readonly #now: () => number
  #lastSignAt: number
  #isNudged = false

  /** @param stuckMs - time without a sign of work until the nudge, and again until the stop. */
  constructor(stuckMs: number, now: () => number = Date.now) {
    this.#stuckMs = stuckMs
    this.#now = now
    this.#lastSignAt = now()
  }

  /**
   * The agent has written something, a tool has done something, or the turn is waiting for a
   * person.
   */
  seen(): void {
    this.#lastSignAt = this.#now()
    this.#isNudged = false
  }

  /** Returns what is due. `nudge` is returned once, until the next sign of work. */
  check(): Progress {
    if (this.#now() - this.#lastSignAt < this.#stuckMs) return 'working'
    if (this.#isNudged) return 'stuck'
    this.#lastSignAt = this.#now()
    this.#isNudged = true
    return 'nudge'
  }
}
