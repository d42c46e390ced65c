// Lets callers that ask at the same time share one fetch, but only one that began after they asked.

type Turn = { readonly done: Promise<void>; readonly abort: AbortController; waiters: number }

export class Fetches {
  readonly #running = new Map<string, Turn>()
  readonly #next = new Map<string, Turn>()

  /** Runs `work`, or waits for the next run of it under this key. It is aborted when nobody waits for it any more. */
  async share(
    key: string,
    signal: AbortSignal | undefined,
    work: (signal: AbortSignal) => Promise<void>,
  ): Promise<void> {
    signal?.throwIfAborted()
    const turn = this.#running.has(key) ? this.#joinNext(key, work) : this.#begin(key, work)
    turn.waiters++
    try {
      await (signal ? Promise.race([turn.done, aborted(signal)]) : turn.done)
    } finally {
      turn.waiters--
      if (turn.waiters === 0 && signal?.aborted) turn.abort.abort(signal.reason)
    }
  }

  #begin(key: string, work: (signal: AbortSignal) => Promise<void>): Turn {
    const abort = new AbortController()
    const done = work(abort.signal).finally(() => this.#running.delete(key))
    done.catch(() => {})
    const turn = { done, abort, waiters: 0 }
    this.#running.set(key, turn)
    return turn
  }

  #joinNext(key: string, work: (signal: AbortSignal) => Promise<void>): Turn {
    const waiting = this.#next.get(key)
    if (waiting) return waiting
    const abort = new AbortController()
    const before = this.#running.get(key)?.done ?? Promise.resolve()
    const done = before
      .catch(() => {})
      .then(async () => {
        this.#next.delete(key)
        const turn = { done, abort, waiters: 0 }
        this.#running.set(key, turn)
        try {
          abort.signal.throwIfAborted()
          await work(abort.signal)
        } finally {
          this.#running.delete(key)
        }
      })
    done.catch(() => {})
    const turn: Turn = { done, abort, waiters: 0 }
    this.#next.set(key, turn)
    return turn
  }
}

const aborted = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }))
