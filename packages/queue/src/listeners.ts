// Listeners grouped by topic; both buses use it.

import type { Unsubscribe } from './bus.ts'

export class Listeners<T> {
  readonly #byTopic = new Map<string, Set<(value: T) => void>>()

  has(topic: string): boolean {
    return this.#byTopic.has(topic)
  }

  /**
   * Adds a listener. Adding the same function twice makes two subscriptions.
   *
   * @param onEmpty - called when the topic's last listener unsubscribes
   */
  add(topic: string, listener: (value: T) => void, onEmpty: () => void = () => {}): Unsubscribe {
    const listeners = this.#byTopic.get(topic) ?? new Set()
    const own = (value: T) => listener(value)
    listeners.add(own)
    this.#byTopic.set(topic, listeners)
    return () => {
      if (!listeners.delete(own) || listeners.size > 0) return
      this.#byTopic.delete(topic)
      onEmpty()
    }
  }

  /** Calls the topic's listeners in the order they were added. */
  emit(topic: string, value: T): void {
    for (const listener of [...(this.#byTopic.get(topic) ?? [])]) listener(value)
  }
}
