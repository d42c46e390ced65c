// Listeners by topic, for both buses.

import type { Unsubscribe } from './bus.ts'

export class Listeners<T> {
  readonly #byTopic = new Map<string, Set<(value: T) => void>>()

  has(topic: string): boolean {
    return this.#byTopic.has(topic)
  }

  topics(): readonly string[] {
    return [...this.#byTopic.keys()]
  }

  /** @param onEmpty - called when the topic's last listener has gone. */
  add(topic: string, listener: (value: T) => void, onEmpty: () => void = () => {}): Unsubscribe {
    const listeners = this.#byTopic.get(topic) ?? new Set()
    // The same function may be added twice; each addition is its own.
    const own = (value: T) => listener(value)
    listeners.add(own)
    this.#byTopic.set(topic, listeners)
    return () => {
      if (!listeners.delete(own) || listeners.size > 0) return
      this.#byTopic.delete(topic)
      onEmpty()
    }
  }

  emit(topic: string, value: T): void {
    for (const listener of [...(this.#byTopic.get(topic) ?? [])]) listener(value)
  }
}
