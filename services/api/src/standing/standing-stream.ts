// One reader of all tasks' events as a byte stream: from its cursor on, never skipping, never repeating.

import type { Logger } from '@switchyard/config'
import type { FeedFilter } from '@switchyard/records'
import { helloBytes } from '../feed/frame.ts'
import type { Metrics } from '../metrics.ts'
import type { StandingFeed, StandingFollower } from './standing-feed.ts'

/** What may wait for a reader before it gets no more until it has read, bytes. */
const UNSENT_BYTES = 262_144
/** A reader that has taken nothing for so long, while something waited, is let go, ms. It resumes by its cursor. */
const STALLED_MS = 30_000
const RETRY_MS = 1_000

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
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined
  #unfollow: (() => void) | undefined
  #cursor: number
  #isPumping = false
  #takenAt = Date.now()

  constructor(options: StandingStreamOptions) {
    this.#options = options
    this.#cursor = options.after
  }

  start(controller: ReadableStreamDefaultController<Uint8Array>): void {
    this.#controller = controller
    controller.enqueue(helloBytes(RETRY_MS))
    this.#unfollow = this.#options.feed.follow(this)
    this.#options.metrics.sseReaders.inc()
  }

  onTaken(): void {
    this.#takenAt = Date.now()
    this.onProgress()
  }

  onProgress(): void {
    if (!this.#isPumping) void this.#pump()
  }

  onHeartbeat(): void {
    // An id without data moves the cursor past events that were not wanted.
    if (this.#hasRoom()) this.#send(`: alive\nid: ${this.#cursor}\n\n`)
    else if (Date.now() - this.#takenAt > STALLED_MS) {
      this.onClose()
      this.#options.cutOff()
    }
  }

  onClose(): void {
    if (this.drop()) this.#controller?.close()
  }

  /** The reader is gone. @returns whether it was there. */
  drop(): boolean {
    if (!this.#unfollow) return false
    this.#unfollow()
    this.#unfollow = undefined
    this.#options.metrics.sseReaders.dec()
    return true
  }

  #hasRoom(): boolean {
    return this.#unfollow !== undefined && (this.#controller?.desiredSize ?? 0) > 0
  }

  #send(text: string): void {
    this.#controller?.enqueue(encoder.encode(text))
  }

  async #pump(): Promise<void> {
    const { feed, filter, metrics, logger } = this.#options
    this.#isPumping = true
    try {
      while (this.#hasRoom() && this.#cursor < feed.horizon) {
        const page = await feed.page(this.#cursor, filter)
        if (this.#unfollow === undefined) return
        for (const { position, event } of page.events) {
          this.#send(`id: ${position}\nevent: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`)
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

export const openStandingStream = (options: StandingStreamOptions): ReadableStream<Uint8Array> => {
  const reader = new StandingReader(options)
  return new ReadableStream<Uint8Array>(
    {
      start: (controller) => reader.start(controller),
      pull: () => reader.onTaken(),
      cancel: () => void reader.drop(),
    },
    { highWaterMark: UNSENT_BYTES, size: (chunk) => chunk.byteLength },
  )
}
