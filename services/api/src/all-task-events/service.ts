// Standing subscriptions: what a caller may see of all tasks, as pages or as a stream, from a cursor on.

import type { Logger } from '@switchyard/config'
import { type EventType, SwitchyardError, type TaskEvent } from '@switchyard/contracts'
import type { FeedFilter } from '@switchyard/records'
import { type Caller, ownerFilter } from '../access/caller.ts'
import { toProjectId } from '../access/project-names.ts'
import type { Metrics } from '../monitoring/metrics.ts'
import { openStandingStream } from './event-stream.ts'
import type { StandingFeed } from './feed.ts'

export type StandingQuery = {
  readonly types?: readonly EventType[] | undefined
  readonly agent_id?: string | undefined
  /** A project id, a git URL or a local path. */
  readonly project?: string | undefined
}

export type StandingPage = { readonly events: TaskEvent[]; readonly cursor: string; readonly has_more: boolean }

/** @throws SwitchyardError `invalid_project` */
const filterOf = (caller: Caller, query: StandingQuery): FeedFilter => ({
  ...ownerFilter(caller),
  ...(query.agent_id === undefined ? {} : { agent_id: query.agent_id }),
  ...(query.project === undefined ? {} : { project_id: toProjectId(query.project) }),
  ...(query.types === undefined ? {} : { types: query.types }),
})

export class Subscriptions {
  readonly #feed: StandingFeed
  readonly #metrics: Metrics
  readonly #logger: Logger

  constructor(feed: StandingFeed, metrics: Metrics, logger: Logger) {
    this.#feed = feed
    this.#metrics = metrics
    this.#logger = logger
  }

  /** @returns the cursor to begin at; that of this moment where there is none. */
  async #begin(after: number | undefined): Promise<number> {
    const last = await this.#feed.catchUp()
    if (after !== undefined && after > last)
      throw new SwitchyardError('invalid_request', `there is no event at ${after} yet: the last one is at ${last}`)
    return after ?? this.#feed.horizon
  }

  /** @param after - a cursor; 0: the oldest. @throws SwitchyardError `invalid_request`, `invalid_project`, `database_unavailable` */
  async page(caller: Caller, query: StandingQuery, after: number, limit: number): Promise<StandingPage> {
    const filter = filterOf(caller, query)
    await this.#begin(after)
    const { events, through } = await this.#feed.page(after, filter, limit)
    return {
      events: events.map((placed) => placed.event),
      cursor: String(through),
      has_more: through < this.#feed.horizon,
    }
  }

  /**
   * Server-sent events, for as long as the reader stays.
   *
   * @param after - a cursor; undefined: from now on.
   * @param cutOff - cuts the connection of a reader that has stopped reading.
   * @throws SwitchyardError `invalid_request`, `invalid_project`, `database_unavailable`
   */
  async stream(
    caller: Caller,
    query: StandingQuery,
    after: number | undefined,
    cutOff: () => void,
  ): Promise<ReadableStream<Uint8Array>> {
    const filter = filterOf(caller, query)
    const begin = await this.#begin(after)
    const [feed, metrics, logger] = [this.#feed, this.#metrics, this.#logger]
    return openStandingStream({ after: begin, filter, feed, metrics, logger, cutOff })
  }
}
