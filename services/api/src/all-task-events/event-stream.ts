// Streams the events of all tasks to one reader, from its cursor on, without gaps or repeats.

import type { Logger } from '@switchyard/config'
import type { FeedFilter } from '@switchyard/records'
import type { Metrics } from '../monitoring/metrics.ts'
import { formatComment, formatEvent } from '../sse/format.ts'
import { SseStream } from '../sse/sse-stream.ts'
import type { AllTaskEventsFeed, AllTaskEventsFollower } from './feed.ts'

export type AllTaskEventsStreamOptions = {
  /** The position of the last event that the reader has. */
  readonly after: number
  readonly filter: FeedFilter
  readonly feed: AllTaskEventsFeed
  readonly metrics: Metrics
  readonly logger: Logger
  /** Closes the connection of a reader that has stopped reading. */
  readonly disconnect: () => void
}

class AllTaskEventsReader implements AllTaskEventsFollower {
  readonly #options: AllTaskEventsStreamOptions
  readonly stream: SseStream
  readonly #unfollow: () => void
  #cursor: number
  #isSending = false

  constructor(options: AllTaskEventsStreamOptions) {
    this.#options = options
    this.#cursor = options.after
    this.stream = new SseStream({
      metrics: options.metrics,
      disconnect: options.disconnect,
      onRead: () => this.onProgress(),
      onClosed: () => this.#unfollow(),
    })
    this.#unfollow = options.feed.follow(this)
  }

  onProgress(): void {
    if (!this.#isSending) void this.#sendPending()
  }

  onHeartbeat(): void {
    // The id moves the reader's cursor past events that the filter left out.
    this.stream.keepAlive(formatComment('alive', this.#cursor))
  }

  onClose(): void {
    this.stream.close()
  }

  async #sendPending(): Promise<void> {
    const { feed, filter, metrics, logger } = this.#options
    this.#isSending = true
    try {
      while (this.stream.hasCapacity && this.#cursor < feed.horizon) {
        const page = await feed.page(this.#cursor, filter)
        if (!this.stream.isOpen) return
        for (const { position, event } of page.events) {
          this.stream.send(formatEvent({ id: position, event: event.type, data: event }))
          metrics.eventsSent.inc()
        }
        this.#cursor = page.through
      }
    } catch (error) {
      logger.debug({ err: error }, 'failed to read events of all tasks; retrying at the next poll')
    } finally {
      this.#isSending = false
    }
  }
}

export const openAllTaskEventsStream = (options: AllTaskEventsStreamOptions): ReadableStream<Uint8Array> =>
  new AllTaskEventsReader(options).stream.body
