// The one event subscription of a server: connects, parses, detects silence, and reconnects until it is closed.

import type { GlobalEvent } from '@opencode-ai/sdk/v2'
import { SwitchyardError, toSwitchyardError } from '@switchyard/contracts'
import type { Logger } from 'pino'
import { createBackoff } from '../connection/backoff.ts'
import { toUnavailable } from '../connection/connection-errors.ts'
import { authorization, type Endpoint } from '../connection/endpoint.ts'
import { createSseParser } from './sse-parser.ts'

/** An event of OpenCode, without the durable copies (`payload.type == "sync"`) that it sends of some events. */
export type OpenCodeEvent = Exclude<GlobalEvent['payload'], { type: 'sync' }>

type StreamListener = {
  /** The server now streams. `connection` counts from 1; `after` says what ended the previous connection. */
  readonly connected: (info: { readonly connection: number; readonly after: Disconnect | undefined }) => void
  readonly event: (event: OpenCodeEvent, directory: string | undefined) => void
  readonly disconnected: (info: { readonly connection: number; readonly reason: Disconnect }) => void
}

/** `watchdog`: no bytes for too long, although heartbeats come every 10 s. `closed`: the connection ended or failed. */
export type Disconnect = 'watchdog' | 'closed'

/**
 * How long the server may take to start its answer, ms. A request that arrives between "listening" and serving is never
 * answered; a busy server that takes longer is requested again.
 */
const CONNECT_MS = 5_000

export type EventStreamOptions = {
  /** Resolves with the running server, waiting for one if necessary. Rejects only when the signal fires. */
  readonly endpoint: (signal: AbortSignal) => Promise<Endpoint>
  readonly listener: StreamListener
  /** Called for every chunk, as a sign of life. */
  readonly onBytes: () => void
  readonly logger: Logger
  /** The stream reconnects after this long without bytes, ms. */
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
 * The SDK's own stream reconnects silently. OpenCode's events have no SSE ids, so events of such a gap are lost, and the
 * caller has to fetch the state again after every `connected`.
 */
export const openEventStream = (options: EventStreamOptions): EventStream => {
  const { listener, logger } = options
  const closing = new AbortController()
  const backoff = createBackoff({ baseMs: options.retryDelayMs, maxMs: options.maxRetryDelayMs })
  let connection = 0
  let isConnected = false
  let reconnectNow = new AbortController()
  let after: Disconnect | undefined

  const readOnce = async (): Promise<Disconnect> => {
    const watchdog = new AbortController()
    const cut = new AbortController()
    reconnectNow = cut
    const signal = AbortSignal.any([closing.signal, watchdog.signal, cut.signal])
    const timer = setTimeout(() => watchdog.abort(), options.watchdogMs)
    try {
      const endpoint = await options.endpoint(signal)
      timer.refresh()
      const parser = createSseParser((data) => dispatch(data))
      const connectTimer = setTimeout(() => cut.abort(), CONNECT_MS)
      const chunks = await subscribe(endpoint, signal).finally(() => clearTimeout(connectTimer))
      for await (const chunk of chunks) {
        timer.refresh()
        options.onBytes()
        parser.push(chunk)
      }
      return 'closed'
    } catch (thrown) {
      if (watchdog.signal.aborted) return 'watchdog'
      if (!signal.aborted) logger.debug({ error: toSwitchyardError(thrown).message }, 'event stream failed')
      return 'closed'
    } finally {
      clearTimeout(timer)
      // Closes the connection when the parser or a listener threw.
      watchdog.abort()
    }
  }

  const dispatch = (data: string): void => {
    const message = parseMessage(data)
    if (message === undefined) return
    const { payload } = message
    if (payload.type === 'sync' || isHeartbeat(payload)) return
    if (payload.type === 'server.connected') onConnected()
    else listener.event(payload, message.directory)
  }

  /** Handles the server's first event; it forwards everything after that. */
  const onConnected = (): void => {
    connection += 1
    isConnected = true
    backoff.reset()
    logger.info({ connection, after }, 'event stream connected')
    listener.connected({ connection, after })
  }

  const loop = async (): Promise<void> => {
    while (!closing.signal.aborted) {
      const reason = await readOnce()
      if (isConnected) {
        isConnected = false
        after = reason
        if (!closing.signal.aborted) logger.warn({ connection, reason }, 'event stream lost; reconnecting')
        listener.disconnected({ connection, reason })
      }
      if (!reconnectNow.signal.aborted) await backoff.wait(AbortSignal.any([closing.signal, reconnectNow.signal]))
    }
  }

  const done = loop()
  done.catch((error: unknown) => logger.error({ err: error }, 'event stream stopped unexpectedly'))

  return {
    isConnected: () => isConnected,
    reconnect: () => reconnectNow.abort(),
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
    throw new SwitchyardError('opencode_unavailable', `${endpoint.url} returned no event stream (${response.status})`)
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

/** Checks only what this file relies on; the SDK of the pinned version defines the rest of the payload. */
const isGlobalEvent = (value: unknown): value is GlobalEvent =>
  typeof value === 'object' &&
  value !== null &&
  'payload' in value &&
  typeof value.payload === 'object' &&
  value.payload !== null &&
  'type' in value.payload &&
  typeof value.payload.type === 'string'

/** Sent every 10 s; missing in the SDK's types. */
const isHeartbeat = (payload: { readonly type: string }): boolean => payload.type === 'server.heartbeat'
