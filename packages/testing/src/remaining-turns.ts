// Remembers the remaining turns of each session, for the case that OpenCode replaces its messages
// with a summary.

import type { Turn } from './script.ts'

const MAX_SESSIONS = 10_000

/**
 * The remaining turns of the sessions that this process has served. They cannot be computed from a
 * compaction request, because it contains the conversation as one text without roles.
 */
export class RemainingTurns {
  readonly #bySession = new Map<string, readonly Turn[]>()

  set(session: string | undefined, turns: readonly Turn[]): void {
    if (session === undefined) return
    this.#bySession.delete(session)
    this.#bySession.set(session, turns)
    const oldest = this.#bySession.size > MAX_SESSIONS ? this.#bySession.keys().next().value : undefined
    if (oldest !== undefined) this.#bySession.delete(oldest)
  }

  get(session: string | undefined): readonly Turn[] | undefined {
    return session === undefined ? undefined : this.#bySession.get(session)
  }
}

/** Returns the turns without the first `done` preludes of the first one. */
export const withoutPreludes = (turns: readonly Turn[], done: number): readonly Turn[] => {
  const [first, ...rest] = turns
  return first === undefined ? [] : [{ ...first, preludes: first.preludes.slice(done) }, ...rest]
}
