// Runs work for the same key one at a time, in the order of the calls.

export class KeyedMutex {
  readonly #last = new Map<string, Promise<unknown>>()

  async run<T>(key: string, work: () => Promise<T>): Promise<T> {
    const step = (this.#last.get(key) ?? Promise.resolve()).catch(() => {}).then(work)
    this.#last.set(key, step)
    try {
      return await step
    } finally {
      if (this.#last.get(key) === step) this.#last.delete(key)
    }
  }
}
