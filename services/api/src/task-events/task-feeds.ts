// The task feeds of this process: opened for the first follower of a task, closed after the last.

import type { Logger } from '@switchyard/config'
import type { TaskId } from '@switchyard/contracts'
import { type Repeating, repeat } from '@switchyard/process'
import type { Bus, Unsubscribe } from '@switchyard/queue'
import { type Records, readProgress } from '@switchyard/records'
import { TaskFeed, type TaskFollower } from './task-feed.ts'

/** Bus signals can be lost, so the database is polled at this interval too, ms. */
const REREAD_MS = 2_000
const HEARTBEAT_MS = 10_000

type Opened = { readonly feed: TaskFeed; readonly subscribed: Promise<Unsubscribe>; count: number }

export type Subscription = { readonly feed: TaskFeed; stop(): void }

export class TaskFeeds {
  readonly #records: Records
  readonly #bus: Bus
  readonly #opened = new Map<TaskId, Opened>()
  readonly #heartbeat: NodeJS.Timeout
  readonly #rereading: Repeating
  readonly #offResume: Unsubscribe
  #closed = false

  constructor(records: Records, bus: Bus, logger: Logger) {
    this.#records = records
    this.#bus = bus
    this.#rereading = repeat({
      name: 'task event polling',
      everyMs: REREAD_MS,
      work: () => this.#reread(),
      onFailure: () => ({ isExpected: true }),
      logger,
    })
    this.#heartbeat = setInterval(() => {
      for (const { feed } of this.#opened.values()) feed.heartbeat()
    }, HEARTBEAT_MS).unref()
    this.#offResume = bus.onResume(this.#rereading.runNow)
  }

  /**
   * Subscribes to a task until `stop`. Resolves once signals arrive and the database was read after that, so that no
   * event is missed.
   *
   * @throws SwitchyardError `database_unavailable`
   */
  async follow(id: TaskId, follower: TaskFollower): Promise<Subscription> {
    const opened = this.#open(id)
    opened.count += 1
    opened.feed.followers.add(follower)
    let stopped = false
    const stop = () => {
      if (stopped) return
      stopped = true
      opened.feed.followers.delete(follower)
      opened.count -= 1
      if (opened.count > 0) return
      this.#opened.delete(id)
      opened.subscribed.then(
        (unsubscribe) => unsubscribe(),
        () => {},
      )
    }
    try {
      await opened.subscribed
      const [progress] = await readProgress(this.#records.db, [id])
      opened.feed.update(progress)
    } catch (error) {
      stop()
      throw error
    }
    return { feed: opened.feed, stop }
  }

  #open(id: TaskId): Opened {
    const existing = this.#opened.get(id)
    if (existing) return existing
    const feed = new TaskFeed(this.#records, id)
    const opened = { feed, subscribed: this.#bus.onTask(id, (signal) => feed.receive(signal)), count: 0 }
    this.#opened.set(id, opened)
    return opened
  }

  async #reread(): Promise<void> {
    if (this.#opened.size === 0) return
    const feeds = [...this.#opened.values()].map(({ feed }) => feed)
    const progress = await readProgress(
      this.#records.db,
      feeds.map((feed) => feed.id),
    )
    const byId = new Map(progress.map((one) => [one.id, one]))
    for (const feed of feeds) feed.update(byId.get(feed.id))
  }

  get closed(): boolean {
    return this.#closed
  }

  /** Closes every stream. Their readers reconnect to another process and resume. */
  close(): void {
    this.#closed = true
    clearInterval(this.#heartbeat)
    void this.#rereading.stop()
    this.#offResume()
    for (const { feed } of this.#opened.values()) feed.close()
  }
}
