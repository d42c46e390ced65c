// The one event subscription of a server: connects, parses, notices silence, connects again, for as long as it is open.

import type { GlobalEvent } from '@opencode-ai/sdk/v2'
import { SwitchyardError, toSwitchyardError } from '@switchyard/contracts'
import type { Logger } from 'pino'
import { createBackoff } from '../connection/backoff.ts'
import { toUnavailable } from '../connection/connection-errors.ts'
import { authorization, type Endpoint } from '../connection/endpoint.ts'
import { createSseParser } from './sse-parser.ts'

/** Events of the bus, without the durable copies (`payload.type == "sync"`) that OpenCode sends of some. */
export type OpenCodeEvent = Exclude<GlobalEvent['payload'], { type: 'sync' }>

type StreamListener = {
  /** The server streams from now on. `connection` counts from 1; `after` says what ended the one before. */
  readonly connected: (info: { readonly connection: number; readonly after: Disconnect | undefined }) => void
  readonly event: (event: OpenCodeEvent, directory: string | undefined) => void
  readonly disconnected: (info: { readonly connection: number; readonly why: Disconnect }) => void
}

/** `watchdog`: no bytes for too long, though heartbeats come every 10 s. `closed`: the connection ended or broke. */
export type Disconnect = 'watchdog' | 'closed'

/**
 * Milliseconds until the server must have begun to answer. A request that comes between its "listening" and its "serving"
 * is never answered; a busy server that takes longer is simply asked again.
 */
const CONNECT_MS = 5_000

export type EventStreamOptions = {
  /** Resolves with the server as it runs now, waiting for one if need be; rejects only when the signal fires. */
  readonly endpoint: (signal: AbortSignal) => Promise<Endpoint>
  readonly listener: StreamListener
  /** Called for every chunk: a sign of life. */
  readonly heard: () => void
  readonly logger: Logger
  readonly watchdogMs: number
  readonly retryDelayMs: number
  readonly maxRetryDelayMs: number
}

export type EventStream = {
  readonly isConnected: () => boolean
  /** Drops the connection, if there is one, and connects again at once. */
  readonly reconnect: () => void
  readonly close: () => Promise<void>
}

/**
 * Opens the stream and keeps it open.
 *
 * Not the SDK's own: that one connects again without telling, and what falls into such a gap is lost, since OpenCode's
 * events carry no SSE ids. Whoever listens has to fetch the state again after every `connected`.
 */
export const openEventStream = (options: EventStreamOptions): EventStream => {
  const { listener, logger } = options
  const closing = new AbortController()
  const backoff = createBackoff({ baseMs: options.retryDelayMs, maxMs: options.maxRetryDelayMs })
  let connection = 0
  let isConnected = false
  let hurry = new AbortController()
  let after: Disconnect | undefined

  const readOnce = async (): Promise<Disconnect> => {
    const watchdog = new AbortController()
    const cut = new AbortController()
    hurry = cut
    const signal = AbortSignal.any([closing.signal, watchdog.signal, cut.signal])
    const timer = setTimeout(() => watchdog.abort(), options.watchdogMs)
    try {
      const endpoint = await options.endpoint(signal)
      timer.refresh()
      const parser = createSseParser((data) => dispatch(data))
      const connecting = setTimeout(() => cut.abort(), CONNECT_MS)
      const chunks = await subscribe(endpoint, signal).finally(() => clearTimeout(connecting))
      for await (const chunk of chunks) {
        timer.refresh()
        options.heard()
        parser.push(chunk)
      }
      return 'closed'
    } catch (thrown) {
      if (watchdog.signal.aborted) return 'watchdog'
      if (!signal.aborted) logger.debug({ error: toSwitchyardError(thrown).message }, 'event stream broke')
      return 'closed'
    } finally {
      clearTimeout(timer)
      // Frees the connection where the loop ended by an exception of ours.
      watchdog.abort()
    }
  }

  const dispatch = (data: string): void => {
    const message = parseMessage(data)
    if (message === undefined) return
    const { payload } = message
    if (payload.type === 'sync' || isHeartbeat(payload)) return
    if (payload.type === 'server.connected') greet()
    else listener.event(payload, message.directory)
  }

  /** The server's own first event, after which it forwards everything that happens. */
  const greet = (): void => {
    connection += 1
    isConnected = true
    backoff.reset()
    logger.info({ connection, after }, 'event stream connected')
    listener.connected({ connection, after })
  }

  const loop = async (): Promise<void> => {
    while (!closing.signal.aborted) {
      const why = await readOnce()
      if (isConnected) {
        isConnected = false
        after = why
        if (!closing.signal.aborted) logger.warn({ connection, why }, 'event stream lost')
        listener.disconnected({ connection, why })
      }
      if (!hurry.signal.aborted) await backoff.wait(AbortSignal.any([closing.signal, hurry.signal]))
    }
  }

  const done = loop()
  done.catch((error: unknown) => logger.error({ err: error }, 'the event stream ended'))

  return {
    isConnected: () => isConnected,
    reconnect: () => hurry.abort(),
    close: async () => {
      closing.abort()
      await done
    },
  }
}

const subscribe = async (endpoint: Endpoint, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>> => {
  const response = await fetch(`${endpoint.url}/global/event`, {
    headers: { authorization: authorization(endpoint), accept: 'text/event-stream' },
    signal,
  }).catch((cause: unknown) => {
    throw toUnavailable(cause, endpoint.url)
  })
  const isStream = response.headers.get('content-type')?.includes('text/event-stream') === true
  if (!response.ok || !isStream || !response.body) {
    await response.body?.cancel()
    throw new SwitchyardError('opencode_unavailable', `${endpoint.url} gives no event stream (${response.status})`)
  }
  return response.body
}

const parseMessage = (data: string): GlobalEvent | undefined => {
  try {
    const value: unknown = JSON.parse(data)
    return isGlobalEvent(value) ? value : undefined
  } catch {
    return undefined
  }
}

/** Only what is relied on here; the rest of the payload is as the SDK of the pinned version says. */
const isGlobalEvent = (value: unknown): value is GlobalEvent =>
  typeof value === 'object' &&
  value !== null &&
  'payload' in value &&
  typeof value.payload === 'object' &&
  value.payload !== null &&
  'type' in value.payload &&
  typeof value.payload.type === 'string'

/** Sent every 10 s; the SDK's types do not know it. */
const isHeartbeat = (payload: { readonly type: string }): boolean => payload.type === 'server.heartbeat'
