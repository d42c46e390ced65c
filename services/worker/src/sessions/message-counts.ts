// How many messages sessions have. OpenCode does not say: they are counted once, and from then on only those that came since.

import type { OpenCodeClient, SessionRef } from '@switchyard/opencode'

type Known = { readonly count: number; readonly newest: string }

const MAX_SESSIONS = 5_000
/** Messages that are read at once while they are counted. */
const PAGE = 200

export class MessageCounts {
  readonly #known = new Map<string, Known>()

  /**
   * Reads back to the last message that was counted. Where that one was taken back, with what followed it, all are counted again.
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

  /** The one that was asked for longest ago is forgotten first. */
  #remember(sessionId: string, known: Known): void {
    this.#known.delete(sessionId)
    this.#known.set(sessionId, known)
    const [oldest] = this.#known.keys()
    if (this.#known.size > MAX_SESSIONS && oldest !== undefined) this.#known.delete(oldest)
  }
}
