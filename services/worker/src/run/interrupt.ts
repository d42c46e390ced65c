// Why a run must stop what it is doing: a control, the deadline, a lack of progress, or the
// worker's own shutdown.

/** `handover`: the worker is stopping and another one continues the task. */
export type InterruptReason = 'cancel' | 'pause' | 'deadline' | 'stuck' | 'handover'

/**
 * The first reason wins, except that every other reason replaces a pause, which may take long to
 * come into force.
 */
export class Interrupt {
  readonly #controller = new AbortController()
  #reason: InterruptReason | null = null

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  get reason(): InterruptReason | null {
    return this.#reason
  }

  /** @throws Interrupted if a reason was raised. */
  check(): void {
    if (this.#reason !== null) throw new Interrupted(this.#reason)
  }

  raise(reason: InterruptReason): void {
    if ((this.#reason !== null && this.#reason !== 'pause') || reason === this.#reason) return
    this.#reason = reason
    this.#controller.abort(new Interrupted(reason))
  }
}

export class Interrupted extends Error {
  readonly reason: InterruptReason

  constructor(reason: InterruptReason) {
    super(`interrupted: ${reason}`)
    this.name = 'Interrupted'
    this.reason = reason
  }
}
