// One reader of a session's events as a byte stream: what happened after its cursor, then live; and how the session is now.

import type { Logger } from '@switchyard/config'
import { type Ask, type CallTarget, isSwitchyardError, type SessionEvent } from '@switchyard/contracts'
import { commentBytes, helloBytes } from '../feed/frame.ts'
import type { Metrics } from '../metrics.ts'
import type { Page, SessionFeeds, SessionFollower } from './feeds.ts'

/** What may wait for a reader before it gets no more until it has read, bytes. */
const UNSENT_BYTES = 262_144
/** A reader that has taken nothing for so long, while something waited, is let go, ms. It resumes by its cursor. */
const STALLED_MS = 30_000
const RETRY_MS = 1_000

const encoder = new TextEncoder()

export type SessionStreamOptions = {
  readonly id: string
  /** The id of the last event that the reader has. */
  readonly after: string | undefined
  readonly who: { readonly project_id: string; readonly agent: string | null }
  readonly target: CallTarget | undefined
  readonly feeds: SessionFeeds
  readonly metrics: Metrics
  readonly logger: Logger
  /** Cuts the connection of a reader that does not read. */
  readonly cutOff: () => void
}

const toBytes = (event: SessionEvent): Uint8Array =>
  encoder.encode(
    `${event.id === null ? '' : `id: ${event.id}\n`}event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`,
  )

class Reader implements SessionFollower {
  readonly #options: SessionStreamOptions
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined
  #unfollow: (() => void) | undefined
  #cursor: string | undefined
  /** Read before the stream began, so that a failure has an answer of its own. */
  #first: Page | undefined
  #status: Page['status'] | undefined
  #asked = new Set<string>()
  #isOpen = true
  #isPumping = false
  #isBehind = false
  #takenAt = Date.now()

  constructor(options: SessionStreamOptions, first: Page) {
    this.#options = options
    this.#cursor = options.after
    this.#first = first
  }

  start(controller: ReadableStreamDefaultController<Uint8Array>): void {
    this.#controller = controller
    controller.enqueue(helloBytes(RETRY_MS))
    this.#options.metrics.sseReaders.inc()
    this.onHint()
  }

  attach(unfollow: () => void): void {
    if (!this.#isOpen) {
      unfollow()
      return
    }
    this.#unfollow = unfollow
    this.onHint()
  }

  onTaken(): void {
    this.#takenAt = Date.now()
    if (this.#isBehind) this.onHint()
  }

  onHint(): void {
    this.#isBehind = true
    if (!this.#isPumping) void this.#pump()
  }

  onHeartbeat(): void {
    if (!this.#isOpen) return
    if (this.#hasRoom()) this.#controller?.enqueue(commentBytes('alive'))
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
    if (!this.#isOpen) return false
    this.#isOpen = false
    this.#unfollow?.()
    this.#options.metrics.sseReaders.dec()
    return true
  }

  #hasRoom(): boolean {
    return this.#isOpen && (this.#controller?.desiredSize ?? 0) > 0
  }

  async #pump(): Promise<void> {
    const { feeds, who, id, target, logger } = this.#options
    this.#isPumping = true
    try {
      while (this.#isBehind && this.#hasRoom()) {
        this.#isBehind = false
        const args = { ...who, session_id: id, after: this.#cursor ?? null }
        const page = this.#first ?? (await feeds.read(args, target))
        this.#first = undefined
        for (const event of page.events) this.#send(event)
        if (page.has_more) this.#isBehind = true
        else this.#tellState(page)
      }
    } catch (error) {
      // Deleted, or no longer the caller's: nothing more will come.
      if (isSwitchyardError(error, 'session_not_found') || isSwitchyardError(error, 'project_not_found')) this.onClose()
      else logger.debug({ session_id: id, err: error }, 'events were not read; the next round tries')
    } finally {
      this.#isPumping = false
    }
  }

  #send(event: SessionEvent): void {
    if (!this.#isOpen) return
    this.#controller?.enqueue(toBytes(event))
    this.#cursor = event.id ?? this.#cursor
    this.#options.metrics.eventsSent.inc()
  }

  /** What has no place in the session's history: told when it changes, and anew on every connection. */
  #tellState({ status, asks }: Page): void {
    for (const ask of asks) if (!this.#asked.has(ask.id)) this.#send(this.#asking(ask))
    this.#asked = new Set(asks.map(({ id }) => id))
    if (status === this.#status) return
    this.#status = status
    this.#send(this.#state('session_status', `the session is ${status}`, { status }))
  }

  #asking(ask: Ask): SessionEvent {
    return this.#state('session_input_required', ask.title, { ask })
  }

  #state(type: SessionEvent['type'], message: string, data: SessionEvent['data']): SessionEvent {
    return { id: null, type, sessionID: this.#options.id, timestamp: new Date().toISOString(), message, data }
  }
}

/** @throws SwitchyardError `session_not_found`, `invalid_request`, before the stream begins */
export const openSessionStream = async (options: SessionStreamOptions): Promise<ReadableStream<Uint8Array>> => {
  const { feeds, id, who, target, after } = options
  const first = await feeds.read({ ...who, session_id: id, after: after ?? null }, target)
  const reader = new Reader(options, first)
  const stream = new ReadableStream<Uint8Array>(
    {
      start: (controller) => reader.start(controller),
      pull: () => reader.onTaken(),
      cancel: () => void reader.drop(),
    },
    { highWaterMark: UNSENT_BYTES, size: (chunk) => chunk.byteLength },
  )
  try {
    reader.attach(await feeds.follow(id, reader))
  } catch (error) {
    reader.drop()
    throw error
  }
  return stream
}
