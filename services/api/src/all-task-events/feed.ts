// The events of all tasks, for every reader in this process: one look at the record for all who are up to date.

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

/** While somebody reads, ms. */
const LOOK_EVERY_MS = 150
/** While events are still being written that a reader waits for, ms. */
const LOOK_SOON_MS = 20
const HEARTBEAT_MS = 10_000
/** How long a caller waits for transactions that are under way, ms. */
const CATCH_UP_MS = 1_000
const PAGE = 200

export type StandingFollower = {
  onProgress(): void
  onHeartbeat(): void
  onClose(): void
}

const isWanted = (placed: PlacedEvent, filter: FeedFilter): boolean =>
  (filter.owner_key === undefined || placed.owner_key === filter.owner_key) &&
  (filter.agent_id === undefined || placed.agent_id === filter.agent_id) &&
  (filter.project_id === undefined || placed.project_id === filter.project_id) &&
  (filter.types === undefined || filter.types.includes(placed.event.type))

export class StandingFeed {
  readonly #records: Records
  readonly #horizon: Horizon
  readonly #followers = new Set<StandingFollower>()
  readonly #heartbeat: NodeJS.Timeout
  readonly #reading: Repeating
  #looking: Promise<void> | undefined
  #newest: (FeedPage & { readonly after: number }) | undefined

  constructor(records: Records, logger: Logger) {
    this.#records = records
    this.#horizon = new Horizon(records)
    this.#heartbeat = setInterval(() => {
      for (const follower of this.#followers) follower.onHeartbeat()
    }, HEARTBEAT_MS).unref()
    this.#reading = repeat({
      name: 'reading the events of all tasks',
      everyMs: Number.POSITIVE_INFINITY,
      work: () => this.#round(),
      onFailure: () => ({ isExpected: true, retryMs: this.#untilNextMs() }),
      logger,
    })
  }

  /** How far it can be read now. */
  get horizon(): number {
    return this.#horizon.position
  }

  /**
   * Takes note of what is written by now: after it everything that was committed before the call can be read, unless a
   * transaction stays open for long.
   *
   * @returns the highest position that was ever taken. @throws SwitchyardError `database_unavailable`
   */
  async catchUp(): Promise<number> {
    const ends = Date.now() + CATCH_UP_MS
    const last = await readLastPosition(this.#records.db)
    await this.#look()
    while (this.#horizon.position < last && Date.now() < ends) {
      await delay(LOOK_SOON_MS)
      await this.#look()
    }
    return last
  }

  /** Wanted events above `after`, as far as it can be read. */
  async page(after: number, filter: FeedFilter, limit = PAGE): Promise<FeedPage> {
    const { horizon } = this
    if (after >= horizon) return { events: [], through: after }
    const newest = this.#newest
    if (newest?.after === after && newest.events.length <= limit)
      return { events: newest.events.filter((placed) => isWanted(placed, filter)), through: newest.through }
    return await readFeed(this.#records.db, filter, { after, upTo: horizon, limit })
  }

  /** @returns stops it. */
  follow(follower: StandingFollower): () => void {
    this.#followers.add(follower)
    if (this.#followers.size === 1) this.#reading.runNow()
    return () => {
      this.#followers.delete(follower)
    }
  }

  /** Nothing is read while nobody follows. */
  #untilNextMs(): number {
    if (this.#followers.size === 0) return Number.POSITIVE_INFINITY
    return this.#horizon.isWaiting ? LOOK_SOON_MS : LOOK_EVERY_MS
  }

  async #round(): Promise<number> {
    try {
      await this.#look()
      return this.#untilNextMs()
    } finally {
      // Also when nothing is new: a follower whose read failed tries again.
      for (const follower of this.#followers) follower.onProgress()
    }
  }

  #look(): Promise<void> {
    this.#looking ??= this.#lookOnce().finally(() => {
      this.#looking = undefined
    })
    return this.#looking
  }

  async #lookOnce(): Promise<void> {
    const before = this.#horizon.position
    await this.#horizon.look()
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
