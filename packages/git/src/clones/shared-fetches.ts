// Lets concurrent callers share one fetch, provided that it starts after they called.

type Fetch = { readonly done: Promise<void>; readonly abort: AbortController; waiters: number }

export class SharedFetches {
  readonly #running = new Map<string, Fetch>()
  readonly #next = new Map<string, Fetch>()

  /**
   * Runs `work`. If it is already running for this key, waits for the next run instead, together with all callers
   * that wait for it. A run is aborted when the signals of all its callers have fired.
   */
  async share(
    key: string,
    signal: AbortSignal | undefined,
    work: (signal: AbortSignal) => Promise<void>,
  ): Promise<void> {
    signal?.throwIfAborted()
    const fetch = this.#running.has(key) ? this.#joinNext(key, work) : this.#start(key, work)
    fetch.waiters++
    try {
      await (signal ? Promise.race([fetch.done, aborted(signal)]) : fetch.done)
    } finally {
      fetch.waiters--
      if (fetch.waiters === 0 && signal?.aborted) fetch.abort.abort(signal.reason)
    }
  }

  #start(key: string, work: (signal: AbortSignal) => Promise<void>): Fetch {
    const abort = new AbortController()
    const done = work(abort.signal).finally(() => this.#running.delete(key))
    done.catch(() => {})
    const fetch = { done, abort, waiters: 0 }
    this.#running.set(key, fetch)
    return fetch
  }

  #joinNext(key: string, work: (signal: AbortSignal) => Promise<void>): Fetch {
    const next = this.#next.get(key)
    if (next) return next
    const abort = new AbortController()
    const running = this.#running.get(key)?.done ?? Promise.resolve()
    const done = running
      .catch(() => {})
      .then(async () => {
        this.#next.delete(key)
        const fetch = { done, abort, waiters: 0 }
        this.#running.set(key, fetch)
        try {
          abort.signal.throwIfAborted()
          await work(abort.signal)
        } finally {
          this.#running.delete(key)
        }
      })
    done.catch(() => {})
    const fetch: Fetch = { done, abort, waiters: 0 }
    this.#next.set(key, fetch)
    return fetch
  }
}

const aborted = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }))
