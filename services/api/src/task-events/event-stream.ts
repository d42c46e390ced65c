// One reader of a task's events as a byte stream: catches up from the record, goes live, never skips, never repeats.

import type { Logger } from '@switchyard/config'
import type { TaskId } from '@switchyard/contracts'
import type { Metrics } from '../monitoring/metrics.ts'
import { commentBytes, type Frame } from '../sse/frame.ts'
import { Outlet } from '../sse/sse-stream.ts'
import type { Follower, TaskFeed } from './task-feed.ts'
import type { Following, TaskFeeds } from './task-feeds.ts'

const ALIVE = commentBytes('alive')

export type EventStreamOptions = {
  readonly id: TaskId
  /** The last number that the reader has. */
  readonly after: number
  readonly feeds: TaskFeeds
  readonly metrics: Metrics
  readonly logger: Logger
  /** Cuts the connection of a reader that does not read. */
  readonly cutOff: () => void
}

class Reader implements Follower {
  readonly #options: EventStreamOptions
  readonly outlet: Outlet
  #following: Following | undefined
  #last: number
  #isPumping = false
  #isBehind = false

  constructor(options: EventStreamOptions) {
    this.#options = options
    this.#last = options.after
    this.outlet = new Outlet({
      metrics: options.metrics,
      cutOff: options.cutOff,
      onTaken: () => this.onProgress(),
      onGone: () => this.#following?.stop(),
    })
  }

  attach(following: Following): void {
    this.#following = following
    if (this.outlet.isOpen) this.onProgress()
    else following.stop()
  }

  onProgress(): void {
    this.#isBehind = true
    if (!this.#isPumping) void this.#pump()
  }

  onDelta(bytes: Uint8Array): void {
    // Live text is for who keeps up; the events have the whole of it later.
    if (!this.#isPumping && this.#last === this.#following?.feed.head && this.outlet.hasRoom) this.outlet.send(bytes)
  }

  onHeartbeat(): void {
    this.outlet.beat(ALIVE)
  }

  onClose(): void {
    this.outlet.end()
  }

  async #pump(): Promise<void> {
    const feed = this.#following?.feed
    if (!feed) return
    this.#isPumping = true
    try {
      while (this.#isBehind) {
        this.#isBehind = false
        // A live frame is sent within the call that brought it: no await on this way.
        while (this.#last < feed.head && this.outlet.hasRoom) {
          const next = feed.recent(this.#last + 1)
          if (next) this.#send(next)
          else if (!(await this.#sendPage(feed))) break
        }
      }
      if (feed.ended && this.#last >= feed.head) this.outlet.end()
    } catch (error) {
      this.#options.logger.debug({ task_id: feed.id, err: error }, 'events were not read; the next round tries')
    } finally {
      this.#isPumping = false
    }
  }

  async #sendPage(feed: TaskFeed): Promise<boolean> {
    const frames = (await feed.page(this.#last)).filter((frame) => frame.seq > this.#last)
    for (const frame of frames) this.#send(frame)
    return frames.length > 0
  }

  #send(frame: Frame): void {
    if (!this.outlet.isOpen) return
    this.outlet.send(frame.bytes)
    this.#last = frame.seq
    this.#options.metrics.eventsSent.inc()
    if (frame.isLast) this.outlet.end()
  }
}

/** The events above `after` as server-sent events, to the terminal one. @throws SwitchyardError `database_unavailable` */
export const openEventStream = async (options: EventStreamOptions): Promise<ReadableStream<Uint8Array>> => {
  const reader = new Reader(options)
  try {
    reader.attach(await options.feeds.follow(options.id, reader))
  } catch (error) {
    reader.outlet.end()
    throw error
  }
  return reader.outlet.stream
}
