// One reader of a task's events as a byte stream: catches up from the record, goes live, never skips, never repeats.

import type { Logger } from '@switchyard/config'
import type { TaskId } from '@switchyard/contracts'
import type { Metrics } from '../metrics.ts'
import type { Following, TaskFeeds } from './feeds.ts'
import { commentBytes, type Frame, helloBytes } from './frame.ts'
import type { Follower, TaskFeed } from './task-feed.ts'

/** What may wait for a reader before it gets no more until it has read, bytes. */
const UNSENT_BYTES = 262_144
/** A reader that has taken nothing for so long, while something waited, is let go, ms. It resumes by number. */
const STALLED_MS = 30_000
const RETRY_MS = 1_000

const HELLO = helloBytes(RETRY_MS)
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
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined
  #following: Following | undefined
  #last: number
  #isOpen = true
  #isPumping = false
  #isBehind = false
  #takenAt = Date.now()

  constructor(options: EventStreamOptions) {
    this.#options = options
    this.#last = options.after
  }

  start(controller: ReadableStreamDefaultController<Uint8Array>): void {
    this.#controller = controller
    controller.enqueue(HELLO)
  }

  attach(following: Following): void {
    if (!this.#isOpen) {
      following.stop()
      return
    }
    this.#following = following
    this.#options.metrics.sseReaders.inc()
    this.onProgress()
  }

  /** The reader took something. */
  onTaken(): void {
    this.#takenAt = Date.now()
    this.onProgress()
  }

  onProgress(): void {
    this.#isBehind = true
    if (!this.#isPumping) void this.#pump()
  }

  onDelta(bytes: Uint8Array): void {
    // Live text is for who keeps up; the events have the whole of it later.
    if (this.#isOpen && !this.#isPumping && this.#last === this.#following?.feed.head && this.#hasRoom())
      this.#controller?.enqueue(bytes)
  }

  onHeartbeat(): void {
    if (!this.#isOpen) return
    if (this.#hasRoom()) this.#controller?.enqueue(ALIVE)
    else if (Date.now() - this.#takenAt > STALLED_MS) {
      this.end()
      this.#options.cutOff()
    }
  }

  onClose(): void {
    this.end()
  }

  /** Ends the stream after what it holds. Safe to call twice. */
  end(): void {
    if (this.#leave()) this.#controller?.close()
  }

  /** The reader is gone. */
  drop(): void {
    this.#leave()
  }

  #leave(): boolean {
    if (!this.#isOpen) return false
    this.#isOpen = false
    if (this.#following) {
      this.#following.stop()
      this.#options.metrics.sseReaders.dec()
    }
    return true
  }

  #hasRoom(): boolean {
    return (this.#controller?.desiredSize ?? 0) > 0
  }

  async #pump(): Promise<void> {
    const feed = this.#following?.feed
    if (!feed) return
    this.#isPumping = true
    try {
      while (this.#isBehind) {
        this.#isBehind = false
        // A live frame is sent within the call that brought it: no await on this way.
        while (this.#isOpen && this.#last < feed.head && this.#hasRoom()) {
          const next = feed.recent(this.#last + 1)
          if (next) this.#send(next)
          else if (!(await this.#sendPage(feed))) break
        }
      }
      if (feed.ended && this.#last >= feed.head) this.end()
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
    if (!this.#isOpen) return
    this.#controller?.enqueue(frame.bytes)
    this.#last = frame.seq
    this.#options.metrics.eventsSent.inc()
    if (frame.isLast) this.end()
  }
}

/** The events above `after` as server-sent events, to the terminal one. @throws SwitchyardError `database_unavailable` */
export const openEventStream = async (options: EventStreamOptions): Promise<ReadableStream<Uint8Array>> => {
  const reader = new Reader(options)
  const stream = new ReadableStream<Uint8Array>(
    {
      start: (controller) => reader.start(controller),
      pull: () => reader.onTaken(),
      cancel: () => reader.drop(),
    },
    { highWaterMark: UNSENT_BYTES, size: (chunk) => chunk.byteLength },
  )
  reader.attach(await options.feeds.follow(options.id, reader))
  return stream
}
