// Decides whether an idle session with an unfinished turn was interrupted. Between two steps of a
// turn a session can look the same for a moment, so two reads must agree.

import type { SessionMessage } from '@switchyard/opencode'

/** The least time between the two reads, ms. */
export const CONFIRM_AFTER_MS = 1_500

const fingerprint = (messages: readonly SessionMessage[]): string => {
  const last = messages.at(-1)
  return `${messages.length}:${last?.info.id ?? ''}:${last?.parts.length ?? 0}`
}

export class InterruptionCheck {
  readonly #now: () => number
  #firstRead: { readonly fingerprint: string; readonly at: number } | null = null

  constructor(now: () => number = Date.now) {
    this.#now = now
  }

  /** Whether a first read is waiting to be confirmed. */
  get isPending(): boolean {
    return this.#firstRead !== null
  }

  /** The session works after all. */
  reset(): void {
    this.#firstRead = null
  }

  /**
   * Returns whether an earlier read, long enough ago, has found the same messages. Other messages
   * start the check again.
   */
  confirm(messages: readonly SessionMessage[]): boolean {
    const read = fingerprint(messages)
    if (this.#firstRead?.fingerprint !== read) {
      this.#firstRead = { fingerprint: read, at: this.#now() }
      return false
    }
    if (this.#now() - this.#firstRead.at < CONFIRM_AFTER_MS) return false
    this.#firstRead = null
    return true
  }
}
