// Streams a task's events to one reader: first from the database, then live, without gaps or repeats.

import type { Logger } from '@switchyard/config'
import type { TaskId } from '@switchyard/contracts'
import type { Metrics } from '../monitoring/metrics.ts'
import { formatComment } from '../sse/format.ts'
import { SseStream } from '../sse/sse-stream.ts'
import type { Frame } from './frame.ts'
import type { TaskFeed, TaskFollower } from './task-feed.ts'
import type { Subscription, TaskFeeds } from './task-feeds.ts'

const KEEP_ALIVE = formatComment('alive')

export type EventStreamOptions = {
  readonly id: TaskId
  /** The number of the last event that the reader has. */
  readonly after: number
  readonly feeds: TaskFeeds
  readonly metrics: Metrics
  readonly logger: Logger
  /** Closes the connection of a reader that has stopped reading. */
  readonly disconnect: () => void
}

class TaskEventReader implements TaskFollower {
  readonly #options: EventStreamOptions
  readonly stream: SseStream
  #subscription: Subscription | undefined
  #lastSent: number
  #isSending = false
  #hasPending = false

  constructor(options: EventStreamOptions) {
    this.#options = options
    this.#lastSent = options.after
    this.stream = new SseStream({
      metrics: options.metrics,
      disconnect: options.disconnect,
      onRead: () => this.onProgress(),
      onClosed: () => this.#subscription?.stop(),
    })
  }

  attach(subscription: Subscription): void {
    this.#subscription = subscription
    if (this.stream.isOpen) this.onProgress()
    else subscription.stop()
  }

  onProgress(): void {
    this.#hasPending = true
    if (!this.#isSending) void this.#sendPending()
  }

  onDelta(bytes: Uint8Array): void {
    // Deltas go only to readers that are up to date. The others get the full text with the events.
    if (!this.#isSending && this.#lastSent === this.#subscription?.feed.head && this.stream.hasCapacity)
      this.stream.send(bytes)
  }

  onHeartbeat(): void {
    this.stream.keepAlive(KEEP_ALIVE)
  }

  onClose(): void {
    this.stream.close()
  }

  async #sendPending(): Promise<void> {
    const feed = this.#subscription?.feed
    if (!feed) return
    this.#isSending = true
    try {
      while (this.#hasPending) {
        this.#hasPending = false
        // A live frame has to be sent synchronously, before the deltas that follow it: no await on this path.
        while (this.#lastSent < feed.head && this.stream.hasCapacity) {
          const next = feed.recent(this.#lastSent + 1)
          if (next) this.#send(next)
          else if (!(await this.#sendPage(feed))) break
        }
      }
      if (feed.ended && this.#lastSent >= feed.head) this.stream.close()
    } catch (error) {
      this.#options.logger.debug(
        { task_id: feed.id, err: error },
        'failed to read task events; retrying on the next update',
      )
    } finally {
      this.#isSending = false
    }
  }

  async #sendPage(feed: TaskFeed): Promise<boolean> {
    const frames = (await feed.page(this.#lastSent)).filter((frame) => frame.seq > this.#lastSent)
    for (const frame of frames) this.#send(frame)
    return frames.length > 0
  }

  #send(frame: Frame): void {
    if (!this.stream.isOpen) return
    this.stream.send(frame.bytes)
    this.#lastSent = frame.seq
    this.#options.metrics.eventsSent.inc()
    if (frame.isLast) this.stream.close()
  }
}

/** Returns a stream of the events after `after`, up to the terminal one. @throws SwitchyardError `database_unavailable` */
export const openTaskEventStream = async (options: EventStreamOptions): Promise<ReadableStream<Uint8Array>> => {
  const reader = new TaskEventReader(options)
  try {
    reader.attach(await options.feeds.follow(options.id, reader))
  } catch (error) {
    reader.stream.close()
    throw error
  }
  return reader.stream.body
}
