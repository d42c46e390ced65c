// The events of all tasks that a caller may see, as pages or as a stream, from a cursor on.

import type { Logger } from '@switchyard/config'
import { type EventType, SwitchyardError, type TaskEvent } from '@switchyard/contracts'
import type { FeedFilter } from '@switchyard/records'
import { type Caller, ownerFilter } from '../access/caller.ts'
import { toProjectId } from '../access/project-names.ts'
import type { Metrics } from '../monitoring/metrics.ts'
import { openAllTaskEventsStream } from './event-stream.ts'
import type { AllTaskEventsFeed } from './feed.ts'

export type AllTaskEventsQuery = {
  readonly types?: readonly EventType[] | undefined
  readonly agent_id?: string | undefined
  /** A project id, a git URL or a local path. */
  readonly project?: string | undefined
}

export type AllTaskEventsPage = { readonly events: TaskEvent[]; readonly cursor: string; readonly has_more: boolean }

/** @throws SwitchyardError `invalid_project` */
const filterOf = (caller: Caller, query: AllTaskEventsQuery): FeedFilter => ({
  ...ownerFilter(caller),
  ...(query.agent_id === undefined ? {} : { agent_id: query.agent_id }),
  ...(query.project === undefined ? {} : { project_id: toProjectId(query.project) }),
  ...(query.types === undefined ? {} : { types: query.types }),
})

export class AllTaskEvents {
  readonly #feed: AllTaskEventsFeed
  readonly #metrics: Metrics
  readonly #logger: Logger

  constructor(feed: AllTaskEventsFeed, metrics: Metrics, logger: Logger) {
    this.#feed = feed
    this.#metrics = metrics
    this.#logger = logger
  }

  /** Returns the position to start after: the cursor, or the current horizon without one. */
  async #startPosition(after: number | undefined): Promise<number> {
    const last = await this.#feed.catchUp()
    if (after !== undefined && after > last)
      throw new SwitchyardError('invalid_request', `cursor ${after} is beyond the last event, which is at ${last}`)
    return after ?? this.#feed.horizon
  }

  /**
   * Returns a page of events in order.
   *
   * @param after - a cursor; 0 starts at the oldest event
   * @throws SwitchyardError `invalid_request`, `invalid_project`, `database_unavailable`
   */
  async page(caller: Caller, query: AllTaskEventsQuery, after: number, limit: number): Promise<AllTaskEventsPage> {
    const filter = filterOf(caller, query)
    await this.#startPosition(after)
    const { events, through } = await this.#feed.page(after, filter, limit)
    return {
      events: events.map((placed) => placed.event),
      cursor: String(through),
      has_more: through < this.#feed.horizon,
    }
  }

  /**
   * Returns a stream of server-sent events that stays open until the reader disconnects.
   *
   * @param after - a cursor; undefined starts with the next event
   * @param disconnect - closes the connection of a reader that has stopped reading
   * @throws SwitchyardError `invalid_request`, `invalid_project`, `database_unavailable`
   */
  async stream(
    caller: Caller,
    query: AllTaskEventsQuery,
    after: number | undefined,
    disconnect: () => void,
  ): Promise<ReadableStream<Uint8Array>> {
    const filter = filterOf(caller, query)
    const start = await this.#startPosition(after)
    const [feed, metrics, logger] = [this.#feed, this.#metrics, this.#logger]
    return openAllTaskEventsStream({ after: start, filter, feed, metrics, logger, disconnect })
  }
}
