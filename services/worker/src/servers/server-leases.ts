// Who holds a server at this moment: runs and calls, each until it gives it back.

export class Holds {
  #now = 0
  #begun = 0

  get now(): number {
    return this.#now
  }

  /** How many came to begin something, in all: one that is higher than before says that the server is needed again. */
  get begun(): number {
    return this.#begun
  }

  /**
   * @param begins - something new; false: it is about what the server does already.
   * @returns a function that gives it back; to call it again does nothing.
   */
  take(begins: boolean): () => void {
    this.#now += 1
    if (begins) this.#begun += 1
    let isHeld = true
    return () => {
      if (isHeld) this.#now -= 1
      isHeld = false
    }
  }
}
