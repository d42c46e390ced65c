// How far each session has come in its script: needed only where OpenCode replaces the messages by a summary.

import type { Turn } from './script.ts'

const MAX_SESSIONS = 10_000

/**
 * The turns that a session has left, as far as this process has seen. A compaction request holds the conversation
 * as one text without roles, from which the number of turns cannot be read.
 */
export class Progress {
  readonly #left = new Map<string, readonly Turn[]>()

  set(session: string | undefined, left: readonly Turn[]): void {
    if (session === undefined) return
    this.#left.delete(session)
    this.#left.set(session, left)
    const oldest = this.#left.size > MAX_SESSIONS ? this.#left.keys().next().value : undefined
    if (oldest !== undefined) this.#left.delete(oldest)
  }

  get(session: string | undefined): readonly Turn[] | undefined {
    return session === undefined ? undefined : this.#left.get(session)
  }
}

/** The turns without what has already happened before the first of them. */
export const withoutPreludes = (turns: readonly Turn[], done: number): readonly Turn[] => {
  const [first, ...rest] = turns
  return first === undefined ? [] : [{ ...first, preludes: first.preludes.slice(done) }, ...rest]
}
