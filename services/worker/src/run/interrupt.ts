// Why a run must leave what it is doing: a control, the deadline, the worker's own end.

/** handover: the worker stops and another goes on. */
export type Reason = 'cancel' | 'pause' | 'deadline' | 'stuck' | 'handover'

/** The first reason counts, except that any other outranks a pause, which may take long to come into force. */
export class Interrupt {
  readonly #controller = new AbortController()
  #reason: Reason | null = null

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  get reason(): Reason | null {
    return this.#reason
  }

  /** @throws Interrupted where a reason was raised. */
  check(): void {
    if (this.#reason !== null) throw new Interrupted(this.#reason)
  }

  raise(reason: Reason): void {
    if ((this.#reason !== null && this.#reason !== 'pause') || reason === this.#reason) return
    this.#reason = reason
    this.#controller.abort(new Interrupted(reason))
  }
}

export class Interrupted extends Error {
  readonly reason: Reason

  constructor(reason: Reason) {
    super(`interrupted: ${reason}`)
    this.name = 'Interrupted'
    this.reason = reason
  }
}
