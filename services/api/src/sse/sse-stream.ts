// A byte stream of server-sent events to one reader. Its buffer is bounded, and a reader that stops reading is disconnected.

import type { Metrics } from '../monitoring/metrics.ts'
import { formatRetry } from './format.ts'

/** Unread bytes above which a reader gets nothing more until it reads. */
const BUFFER_BYTES = 262_144
/** A reader that leaves unread bytes for this long is disconnected, ms. It can reconnect and resume. */
const STALLED_MS = 30_000
const RETRY_MS = 1_000

export type SseStreamOptions = {
  readonly metrics: Metrics
  /** Called when the reader has read something, so there may be capacity again. */
  readonly onRead: () => void
  /** Called once when the stream closes, by either side. */
  readonly onClosed: () => void
  /** Closes the connection of a reader that has stopped reading. */
  readonly disconnect: () => void
}

export class SseStream {
  readonly #options: SseStreamOptions
  readonly body: ReadableStream<Uint8Array>
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined
  #isOpen = true
  #lastReadAt = Date.now()

  constructor(options: SseStreamOptions) {
    this.#options = options
    options.metrics.sseReaders.inc()
    this.body = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          this.#controller = controller
          controller.enqueue(formatRetry(RETRY_MS))
        },
        pull: () => {
          this.#lastReadAt = Date.now()
          options.onRead()
        },
        cancel: () => void this.#markClosed(),
      },
      { highWaterMark: BUFFER_BYTES, size: (chunk) => chunk.byteLength },
    )
  }

  get isOpen(): boolean {
    return this.#isOpen
  }

  get hasCapacity(): boolean {
    return this.#isOpen && (this.#controller?.desiredSize ?? 0) > 0
  }

  /** Does nothing after the stream has closed. */
  send(bytes: Uint8Array): void {
    if (this.#isOpen) this.#controller?.enqueue(bytes)
  }

  /** Sends a keep-alive, or disconnects a reader that has stopped reading. */
  keepAlive(bytes: Uint8Array): void {
    if (this.hasCapacity) this.send(bytes)
    else if (this.#isOpen && Date.now() - this.#lastReadAt > STALLED_MS) {
      this.close()
      this.#options.disconnect()
    }
  }

  /** Closes the stream after the bytes that are already buffered. Safe to call twice. */
  close(): void {
    if (this.#markClosed()) this.#controller?.close()
  }

  #markClosed(): boolean {
    if (!this.#isOpen) return false
    this.#isOpen = false
    this.#options.metrics.sseReaders.dec()
    this.#options.onClosed()
    return true
  }
}
