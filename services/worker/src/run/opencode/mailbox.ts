// What happens to a run, one after another: stream events, commands, ticks. Bounded: what overflows is
// replaced by one mark that the state must be read again.

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

  /** All there is, or what comes within `timeoutMs`; empty when nothing came or the signal fired. */
  async take(timeoutMs: number, signal: AbortSignal): Promise<readonly T[]> {
    if (this.#items.length === 0 && !signal.aborted) await this.#something(timeoutMs, signal)
    const items = this.#items
    this.#items = []
    return items
  }

  #something(timeoutMs: number, signal: AbortSignal): Promise<void> {
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
