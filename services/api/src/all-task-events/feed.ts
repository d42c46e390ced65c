// The events of all tasks: readers in this process that are up to date share one database query.

import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from '@switchyard/config'
import { type Repeating, repeat } from '@switchyard/process'
import {
  type FeedFilter,
  type FeedPage,
  type PlacedEvent,
  type Records,
  readFeed,
  readLastPosition,
} from '@switchyard/records'
import { Horizon } from './horizon.ts'

/** Poll interval while there are readers, ms. */
const POLL_MS = 150
/** Poll interval while events are still being written, ms. */
const POLL_SOON_MS = 20
const HEARTBEAT_MS = 10_000
/** Limit of the wait for running transactions, ms. */
const CATCH_UP_MS = 1_000
const PAGE = 200

export type AllTaskEventsFollower = {
  onProgress(): void
  onHeartbeat(): void
  onClose(): void
}

const matches = (placed: PlacedEvent, filter: FeedFilter): boolean =>
  (filter.owner_key === undefined || placed.owner_key === filter.owner_key) &&
  (filter.agent_id === undefined || placed.agent_id === filter.agent_id) &&
  (filter.project_id === undefined || placed.project_id === filter.project_id) &&
  (filter.types === undefined || filter.types.includes(placed.event.type))

export class AllTaskEventsFeed {
  readonly #records: Records
  readonly #horizon: Horizon
  readonly #followers = new Set<AllTaskEventsFollower>()
  readonly #heartbeat: NodeJS.Timeout
  readonly #reading: Repeating
  #advancing: Promise<void> | undefined
  #newest: (FeedPage & { readonly after: number }) | undefined

  constructor(records: Records, logger: Logger) {
    this.#records = records
    this.#horizon = new Horizon(records)
    this.#heartbeat = setInterval(() => {
      for (const follower of this.#followers) follower.onHeartbeat()
    }, HEARTBEAT_MS).unref()
    this.#reading = repeat({
      name: 'polling for events of all tasks',
      everyMs: Number.POSITIVE_INFINITY,
      work: () => this.#round(),
      onFailure: () => ({ isExpected: true, retryMs: this.#untilNextMs() }),
      logger,
    })
  }

  /** The position up to which events can be read now. */
  get horizon(): number {
    return this.#horizon.position
  }

  /**
   * Advances the horizon so that every event committed before the call can be read. Gives up after 1 s if a transaction
   * stays open.
   *
   * @returns the highest position that any event has, readable or not
   * @throws SwitchyardError `database_unavailable`
   */
  async catchUp(): Promise<number> {
    const ends = Date.now() + CATCH_UP_MS
    const last = await readLastPosition(this.#records.db)
    await this.#advance()
    while (this.#horizon.position < last && Date.now() < ends) {
      await delay(POLL_SOON_MS)
      await this.#advance()
    }
    return last
  }

  /** Returns the events after position `after` that match the filter, up to the horizon. */
  async page(after: number, filter: FeedFilter, limit = PAGE): Promise<FeedPage> {
    const { horizon } = this
    if (after >= horizon) return { events: [], through: after }
    const newest = this.#newest
    if (newest?.after === after && newest.events.length <= limit)
      return { events: newest.events.filter((placed) => matches(placed, filter)), through: newest.through }
    return await readFeed(this.#records.db, filter, { after, upTo: horizon, limit })
  }

  /** Notifies the follower until the returned function is called. */
  follow(follower: AllTaskEventsFollower): () => void {
    this.#followers.add(follower)
    if (this.#followers.size === 1) this.#reading.runNow()
    return () => {
      this.#followers.delete(follower)
    }
  }

  /** Without followers, nothing is polled. */
  #untilNextMs(): number {
    if (this.#followers.size === 0) return Number.POSITIVE_INFINITY
    return this.#horizon.isWaiting ? POLL_SOON_MS : POLL_MS
  }

  async #round(): Promise<number> {
    try {
      await this.#advance()
      return this.#untilNextMs()
    } finally {
      // Even without news, so that a follower whose read failed retries.
      for (const follower of this.#followers) follower.onProgress()
    }
  }

  #advance(): Promise<void> {
    this.#advancing ??= this.#advanceOnce().finally(() => {
      this.#advancing = undefined
    })
    return this.#advancing
  }

  async #advanceOnce(): Promise<void> {
    const before = this.#horizon.position
    await this.#horizon.advance()
    const after = this.#horizon.position
    if (after === before || this.#followers.size === 0 || before === 0) return
    const page = await readFeed(this.#records.db, {}, { after: before, upTo: after, limit: PAGE })
    this.#newest = { ...page, after: before }
  }

  close(): void {
    void this.#reading.stop()
    clearInterval(this.#heartbeat)
    for (const follower of [...this.#followers]) follower.onClose()
  }
}
