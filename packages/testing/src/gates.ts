// Named gates that a scripted step waits at until a test opens them.

/** A gate that was opened stays open, so it does not matter whether the wait or the release comes first. */
export class Gates {
  readonly #open = new Set<string>()
  readonly #waiting = new Map<string, Set<() => void>>()

  release(name: string): void {
    this.#open.add(name)
    for (const go of this.#waiting.get(name) ?? []) go()
    this.#waiting.delete(name)
  }

  /** Resolves when the gate opens; rejects when `signal` aborts or after `limitMs`. */
  async wait(name: string, limitMs: number, signal: AbortSignal): Promise<void> {
    if (this.#open.has(name)) return
    const waiting = this.#waiting.get(name) ?? new Set()
    this.#waiting.set(name, waiting)
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const giveUp = () => reject(new Error(`gave up waiting for the release of ${name}`))
    const timer = setTimeout(giveUp, limitMs)
    signal.addEventListener('abort', giveUp, { once: true })
    waiting.add(resolve)
    if (signal.aborted) giveUp()
    try {
      await promise
    } finally {
      clearTimeout(timer)
      signal.removeEventListener('abort', giveUp)
      waiting.delete(resolve)
    }
  }
}
