// Streams a session's events to one reader: past events after its cursor, live ones, and the current state of the session.

import type { Logger } from '@switchyard/config'
import { type Ask, isSwitchyardError, type SessionEvent } from '@switchyard/contracts'
import type { Metrics } from '../monitoring/metrics.ts'
import { formatComment, formatEvent } from '../sse/format.ts'
import { SseStream } from '../sse/sse-stream.ts'
import type { ProjectScope } from './deps.ts'
import type { SessionEventPage, SessionFeeds, SessionFollower } from './feeds.ts'

const KEEP_ALIVE = formatComment('alive')

export type SessionStreamOptions = {
  readonly id: string
  /** The id of the last event that the reader has. */
  readonly after: string | undefined
  /** Called before every read, because the reader can lose access while the stream is open. */
  readonly resolveScope: () => Promise<Pick<ProjectScope, 'callerArgs' | 'options'>>
  readonly feeds: SessionFeeds
  readonly metrics: Metrics
  readonly logger: Logger
  /** Closes the connection of a reader that has stopped reading. */
  readonly disconnect: () => void
}

const toBytes = (event: SessionEvent): Uint8Array =>
  formatEvent({ id: event.id ?? undefined, event: event.type, data: event })

/**
 * Returns the events after a cursor.
 *
 * @param mayStart - whether to start the project's server if it is stopped
 * @throws SwitchyardError `project_not_found`, also if the reader has lost access; `session_not_found`
 */
const readPage = async (
  options: SessionStreamOptions,
  after: string | undefined,
  mayStart: boolean,
): Promise<SessionEventPage> => {
  const { feeds, id, resolveScope } = options
  const {
    callerArgs,
    options: { target },
  } = await resolveScope()
  return await feeds.read({ ...callerArgs, session_id: id, after: after ?? null, may_start: mayStart }, target)
}

class SessionEventReader implements SessionFollower {
  readonly #options: SessionStreamOptions
  readonly stream: SseStream
  #unfollow: (() => void) | undefined
  #cursor: string | undefined
  /** Read before the stream opens, so that a failure is an HTTP error instead of a broken stream. */
  #firstPage: SessionEventPage | undefined
  #sentStatus: SessionEventPage['status'] | undefined
  #sentRequests = new Set<string>()
  #isSending = false
  #hasPending = false

  constructor(options: SessionStreamOptions, firstPage: SessionEventPage) {
    this.#options = options
    this.#cursor = options.after
    this.#firstPage = firstPage
    this.stream = new SseStream({
      metrics: options.metrics,
      disconnect: options.disconnect,
      onRead: () => {
        if (this.#hasPending) this.onHint()
      },
      onClosed: () => this.#unfollow?.(),
    })
  }

  attach(unfollow: () => void): void {
    this.#unfollow = unfollow
    if (this.stream.isOpen) this.onHint()
    else unfollow()
  }

  onHint(): void {
    this.#hasPending = true
    if (!this.#isSending) void this.#sendPending()
  }

  onHeartbeat(): void {
    this.stream.keepAlive(KEEP_ALIVE)
  }

  onClose(): void {
    this.stream.close()
  }

  async #sendPending(): Promise<void> {
    const { id, logger } = this.#options
    this.#isSending = true
    try {
      while (this.#hasPending && this.stream.hasCapacity) {
        this.#hasPending = false
        // A reader that only waits must not keep the project's server running.
        const page = this.#firstPage ?? (await readPage(this.#options, this.#cursor, false))
        this.#firstPage = undefined
        for (const event of page.events) this.#send(event)
        if (page.has_more) this.#hasPending = true
        else this.#sendState(page)
      }
    } catch (error) {
      // The session was deleted or the reader has lost access, so no more events can follow.
      if (isSwitchyardError(error, 'session_not_found') || isSwitchyardError(error, 'project_not_found')) this.onClose()
      else logger.debug({ session_id: id, err: error }, 'failed to read session events; retrying on the next hint')
    } finally {
      this.#isSending = false
    }
  }

  #send(event: SessionEvent): void {
    if (!this.stream.isOpen) return
    this.stream.send(toBytes(event))
    this.#cursor = event.id ?? this.#cursor
    this.#options.metrics.eventsSent.inc()
  }

  /** Sends the state that is not part of the history: on every change, and once per connection. */
  #sendState({ status, asks }: SessionEventPage): void {
    for (const ask of asks) if (!this.#sentRequests.has(ask.id)) this.#send(this.#toRequestEvent(ask))
    this.#sentRequests = new Set(asks.map(({ id }) => id))
    if (status === this.#sentStatus) return
    this.#sentStatus = status
    this.#send(this.#toStateEvent('session_status', `the session is ${status}`, { status }))
  }

  #toRequestEvent(ask: Ask): SessionEvent {
    return this.#toStateEvent('session_input_required', ask.title, { ask })
  }

  #toStateEvent(type: SessionEvent['type'], message: string, data: SessionEvent['data']): SessionEvent {
    return { id: null, type, sessionID: this.#options.id, timestamp: new Date().toISOString(), message, data }
  }
}

/**
 * Returns a stream of the session's events.
 *
 * @throws SwitchyardError `project_not_found`, `session_not_found`, `invalid_request`
 */
export const openSessionStream = async (options: SessionStreamOptions): Promise<ReadableStream<Uint8Array>> => {
  const { feeds, id, after } = options
  const firstPage = await readPage(options, after, true)
  const reader = new SessionEventReader(options, firstPage)
  try {
    reader.attach(await feeds.follow(id, reader))
  } catch (error) {
    reader.stream.close()
    throw error
  }
  return reader.stream.body
}
