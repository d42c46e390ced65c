// One reader of all tasks' events as a byte stream: from its cursor on, never skipping, never repeating.

import type { Logger } from '@switchyard/config'
import type { FeedFilter } from '@switchyard/records'
import type { Metrics } from '../monitoring/metrics.ts'
import { Outlet } from '../sse/sse-stream.ts'
import type { StandingFeed, StandingFollower } from './feed.ts'

const encoder = new TextEncoder()

export type StandingStreamOptions = {
  /** The position up to which the reader has everything. */
  readonly after: number
  readonly filter: FeedFilter
  readonly feed: StandingFeed
  readonly metrics: Metrics
  readonly logger: Logger
  /** Cuts the connection of a reader that does not read. */
  readonly cutOff: () => void
}

class StandingReader implements StandingFollower {
  readonly #options: StandingStreamOptions
  readonly outlet: Outlet
  readonly #unfollow: () => void
  #cursor: number
  #isPumping = false

  constructor(options: StandingStreamOptions) {
    this.#options = options
    this.#cursor = options.after
    this.outlet = new Outlet({
      metrics: options.metrics,
      cutOff: options.cutOff,
      onTaken: () => this.onProgress(),
      onGone: () => this.#unfollow(),
    })
    this.#unfollow = options.feed.follow(this)
  }

  onProgress(): void {
    if (!this.#isPumping) void this.#pump()
  }

  onHeartbeat(): void {
    // An id without data moves the cursor past events that were not wanted.
    this.outlet.beat(encoder.encode(`: alive\nid: ${this.#cursor}\n\n`))
  }

  onClose(): void {
    this.outlet.end()
  }

  async #pump(): Promise<void> {
    const { feed, filter, metrics, logger } = this.#options
    this.#isPumping = true
    try {
      while (this.outlet.hasRoom && this.#cursor < feed.horizon) {
        const page = await feed.page(this.#cursor, filter)
        if (!this.outlet.isOpen) return
        for (const { position, event } of page.events) {
          const text = `id: ${position}\nevent: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`
          this.outlet.send(encoder.encode(text))
          metrics.eventsSent.inc()
        }
        this.#cursor = page.through
      }
    } catch (error) {
      logger.debug({ err: error }, 'events were not read; the next round tries')
    } finally {
      this.#isPumping = false
    }
  }
}

export const openStandingStream = (options: StandingStreamOptions): ReadableStream<Uint8Array> =>
  new StandingReader(options).outlet.stream
