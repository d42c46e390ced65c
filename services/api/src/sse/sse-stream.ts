// The byte stream to one reader of server-sent events: what waits for it is bounded, and one that does not read is let go.

import type { Metrics } from '../monitoring/metrics.ts'
import { helloBytes } from './frame.ts'

/** What may wait for a reader before it gets no more until it has read, bytes. */
const UNSENT_BYTES = 262_144
/** A reader that has taken nothing for so long, while something waited, is let go, ms. It resumes where it was. */
const STALLED_MS = 30_000
const RETRY_MS = 1_000

const HELLO = helloBytes(RETRY_MS)

export type OutletOptions = {
  readonly metrics: Metrics
  /** The reader took something: there may be room again. */
  readonly onTaken: () => void
  /** Called once, whoever ended it. */
  readonly onGone: () => void
  /** Cuts the connection of a reader that does not read. */
  readonly cutOff: () => void
}

export class Outlet {
  readonly #options: OutletOptions
  readonly stream: ReadableStream<Uint8Array>
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined
  #isOpen = true
  #takenAt = Date.now()

  constructor(options: OutletOptions) {
    this.#options = options
    options.metrics.sseReaders.inc()
    this.stream = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          this.#controller = controller
          controller.enqueue(HELLO)
        },
        pull: () => {
          this.#takenAt = Date.now()
          options.onTaken()
        },
        cancel: () => void this.#leave(),
      },
      { highWaterMark: UNSENT_BYTES, size: (chunk) => chunk.byteLength },
    )
  }

  get isOpen(): boolean {
    return this.#isOpen
  }

  get hasRoom(): boolean {
    return this.#isOpen && (this.#controller?.desiredSize ?? 0) > 0
  }

  /** Nothing happens where the reader is gone. */
  send(bytes: Uint8Array): void {
    if (this.#isOpen) this.#controller?.enqueue(bytes)
  }

  /** Sends a sign of life, or lets a reader go that has not read for long. */
  beat(bytes: Uint8Array): void {
    if (this.hasRoom) this.send(bytes)
    else if (this.#isOpen && Date.now() - this.#takenAt > STALLED_MS) {
      this.end()
      this.#options.cutOff()
    }
  }

  /** Ends the stream after what it holds. Safe to call twice. */
  end(): void {
    if (this.#leave()) this.#controller?.close()
  }

  #leave(): boolean {
    if (!this.#isOpen) return false
    this.#isOpen = false
    this.#options.metrics.sseReaders.dec()
    this.#options.onGone()
    return true
  }
}
