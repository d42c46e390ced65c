// One reader of a session's events as a byte stream: what happened after its cursor, then live; and how the session is now.

import type { Logger } from '@switchyard/config'
import { type Ask, isSwitchyardError, type SessionEvent } from '@switchyard/contracts'
import type { Metrics } from '../monitoring/metrics.ts'
import { commentBytes } from '../sse/frame.ts'
import { Outlet } from '../sse/sse-stream.ts'
import type { Scope } from './deps.ts'
import type { Page, SessionFeeds, SessionFollower } from './feeds.ts'

const ALIVE = commentBytes('alive')
const encoder = new TextEncoder()

export type SessionStreamOptions = {
  readonly id: string
  /** The id of the last event that the reader has. */
  readonly after: string | undefined
  /** Who reads, looked up anew before every read: a stream outlasts what its reader may. */
  readonly scope: () => Promise<Pick<Scope, 'who' | 'options'>>
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

/**
 * @param mayStart - whether a server that rests is started for it
 * @throws SwitchyardError `project_not_found` where the project is no longer the reader’s to use, `session_not_found`
 */
const readPage = async (options: SessionStreamOptions, after: string | undefined, mayStart: boolean): Promise<Page> => {
  const { feeds, id, scope } = options
  const {
    who,
    options: { target },
  } = await scope()
  return await feeds.read({ ...who, session_id: id, after: after ?? null, may_start: mayStart }, target)
}

class Reader implements SessionFollower {
  readonly #options: SessionStreamOptions
  readonly outlet: Outlet
  #unfollow: (() => void) | undefined
  #cursor: string | undefined
  /** Read before the stream began, so that a failure has an answer of its own. */
  #first: Page | undefined
  #status: Page['status'] | undefined
  #asked = new Set<string>()
  #isPumping = false
  #isBehind = false

  constructor(options: SessionStreamOptions, first: Page) {
    this.#options = options
    this.#cursor = options.after
    this.#first = first
    this.outlet = new Outlet({
      metrics: options.metrics,
      cutOff: options.cutOff,
      onTaken: () => {
        if (this.#isBehind) this.onHint()
      },
      onGone: () => this.#unfollow?.(),
    })
  }

  attach(unfollow: () => void): void {
    this.#unfollow = unfollow
    if (this.outlet.isOpen) this.onHint()
    else unfollow()
  }

  onHint(): void {
    this.#isBehind = true
    if (!this.#isPumping) void this.#pump()
  }

  onHeartbeat(): void {
    this.outlet.beat(ALIVE)
  }

  onClose(): void {
    this.outlet.end()
  }

  async #pump(): Promise<void> {
    const { id, logger } = this.#options
    this.#isPumping = true
    try {
      while (this.#isBehind && this.outlet.hasRoom) {
        this.#isBehind = false
        // A reader that only waits keeps no server from its end.
        const page = this.#first ?? (await readPage(this.#options, this.#cursor, false))
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
    if (!this.outlet.isOpen) return
    this.outlet.send(toBytes(event))
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

/** @throws SwitchyardError `project_not_found`, `session_not_found`, `invalid_request`, before the stream begins */
export const openSessionStream = async (options: SessionStreamOptions): Promise<ReadableStream<Uint8Array>> => {
  const { feeds, id, after } = options
  const first = await readPage(options, after, true)
  const reader = new Reader(options, first)
  try {
    reader.attach(await feeds.follow(id, reader))
  } catch (error) {
    reader.outlet.end()
    throw error
  }
  return reader.outlet.stream
}
