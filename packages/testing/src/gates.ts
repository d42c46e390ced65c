// Named gates: a scripted step waits at one until a test releases it.

/** A released gate stays open, so a release may come before the wait. */
export class Gates {
  readonly #open = new Set<string>()
  readonly #waiting = new Map<string, Set<() => void>>()

  release(name: string): void {
    this.#open.add(name)
    for (const resolve of this.#waiting.get(name) ?? []) resolve()
    this.#waiting.delete(name)
  }

  /** Resolves when the gate is released; rejects when `signal` aborts or after `limitMs`. */
  async wait(name: string, limitMs: number, signal: AbortSignal): Promise<void> {
    if (this.#open.has(name)) return
    const waiting = this.#waiting.get(name) ?? new Set()
    this.#waiting.set(name, waiting)
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const fail = () => reject(new Error(`gate ${name} was not released in time`))
    const timer = setTimeout(fail, limitMs)
    signal.addEventListener('abort', fail, { once: true })
    waiting.add(resolve)
    if (signal.aborted) fail()
    try {
      await promise
    } finally {
      clearTimeout(timer)
      signal.removeEventListener('abort', fail)
      waiting.delete(resolve)
    }
  }
}
