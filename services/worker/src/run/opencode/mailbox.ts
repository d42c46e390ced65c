// A bounded queue of what happens to a run: stream events and commands. On overflow its content is
// replaced by one mark that says that the state must be read again.

export class Mailbox<T> {
  readonly #capacity: number
  readonly #overflowMark: T
  #items: T[] = []
  #wake: (() => void) | null = null

  constructor(capacity: number, overflowMark: T) {
    this.#capacity = capacity
    this.#overflowMark = overflowMark
  }

  put(item: T): void {
    if (this.#items.length >= this.#capacity) this.#items = [this.#overflowMark]
    this.#items.push(item)
    this.#wake?.()
  }

  /**
   * Takes everything, and waits for something if there is nothing. Returns nothing after
   * `timeoutMs` or when the signal aborts.
   */
  async take(timeoutMs: number, signal: AbortSignal): Promise<readonly T[]> {
    if (this.#items.length === 0 && !signal.aborted) await this.#untilPut(timeoutMs, signal)
    const items = this.#items
    this.#items = []
    return items
  }

  #untilPut(timeoutMs: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer)
        signal.removeEventListener('abort', done)
        this.#wake = null
        resolve()
      }
      const timer = setTimeout(done, timeoutMs)
      signal.addEventListener('abort', done, { once: true })
      this.#wake = done
    })
  }
}
