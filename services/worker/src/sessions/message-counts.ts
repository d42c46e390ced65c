// Counts the messages of sessions, which OpenCode does not report: all of them once, then only new ones.

import type { OpenCodeClient, SessionRef } from '@switchyard/opencode'

type Known = { readonly count: number; readonly newest: string }

const MAX_SESSIONS = 5_000
/** Messages per read while counting. */
const PAGE = 200

export class MessageCounts {
  readonly #known = new Map<string, Known>()

  /**
   * Reads back to the last counted message. If that one was reverted, counts all messages again.
   *
   * @throws SwitchyardError of the client
   */
  async of(client: OpenCodeClient, place: SessionRef, signal: AbortSignal): Promise<number> {
    const known = this.#known.get(place.sessionId)
    let newest: string | undefined
    let count = 0
    let before: string | undefined
    do {
      const isFirst = newest === undefined
      const page = await client.messagePage(place, { limit: known && isFirst ? 1 : PAGE, before }, { signal })
      newest ??= page.messages.at(-1)?.info.id
      const at = page.messages.findLastIndex(({ info }) => info.id === known?.newest)
      if (known && at >= 0) {
        count += page.messages.length - 1 - at + known.count
        break
      }
      count += page.messages.length
      before = page.before
    } while (before !== undefined)
    if (newest !== undefined) this.#remember(place.sessionId, { count, newest })
    return count
  }

  /** Evicts the count that was used longest ago. */
  #remember(sessionId: string, known: Known): void {
    this.#known.delete(sessionId)
    this.#known.set(sessionId, known)
    const [oldest] = this.#known.keys()
    if (this.#known.size > MAX_SESSIONS && oldest !== undefined) this.#known.delete(oldest)
  }
}
