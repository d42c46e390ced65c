// One OpenCode server: its supervisor, its client, its event stream, and the subscriptions to sessions.

import { SwitchyardError } from '@switchyard/contracts'
import type { Logger } from 'pino'
import { createClient, type OpenCodeClient } from './client/client.ts'
import { type ActivityTracker, createActivityTracker } from './events/activity-tracker.ts'
import { type ResyncReason, sessionOf } from './events/event-router.ts'
import { type Disconnect, type OpenCodeEvent, openEventStream } from './events/event-stream.ts'
import { createSessionSubscriptions, type SessionSubscriptions } from './events/session-subscriptions.ts'
import { createStreamConfirmation } from './events/stream-confirmation.ts'
import type { ServerLauncher } from './server/launcher.ts'
import { type ServerState, supervise } from './server/supervisor.ts'
import { waitForServer } from './server/wait-for-server.ts'

type OpenCodeServerOptions = {
  readonly launcher: ServerLauncher
  readonly logger: Logger
  /** OPENCODE_SERVER_HEALTH_CHECK_INTERVAL_MS; default 5000. */
  readonly healthCheckIntervalMs?: number
  /** OPENCODE_SERVER_MAX_RETRIES: retries of a call, and of a failed start until `ready` rejects; default 3. */
  readonly maxRetries?: number
  /** OPENCODE_SERVER_RETRY_DELAY_MS: the delay before the first retry, growing with jitter; default 1000. */
  readonly retryDelayMs?: number
  /** The longest delay, ms; default 10 000. */
  readonly maxRetryDelayMs?: number
  /** OPENCODE_SERVER_OUTAGE_MS: how long `ready` waits for a server that is unreachable, ms; default 90 000. */
  readonly outageMs?: number
  /** The time limit of one health check, ms; default 10 000. */
  readonly healthTimeoutMs?: number
  /** A local server without any sign of life for this long is replaced, ms; default 60 000. */
  readonly silenceMs?: number
  /** The event stream reconnects after this long without bytes, ms; default 25 000 (heartbeats come every 10 s). */
  readonly watchdogMs?: number
  /** The time limit of one try of a call, ms; default 30 000. */
  readonly callTimeoutMs?: number
}

type SessionListener = (sessionId: string, event: OpenCodeEvent, directory: string | undefined) => void

/**
 * @example
 * const server = OpenCodeServer.start({ launcher: childServer({ … }), logger })
 * await server.ready({ signal })
 * const session = await server.client.createSession({ directory, title })
 * const subscription = server.subscribe(session.id, directory, (message) => …, { isNew: true })
 * await subscription.established
 * await server.client.promptAsync({ sessionId: session.id, directory, messageId, text })
 */
export type OpenCodeServer = {
  /** Does not change when the server restarts. */
  readonly id: string
  readonly kind: ServerLauncher['kind']
  readonly client: OpenCodeClient
  readonly state: () => ServerState
  /** Calls the listener after every change. Returns a function that unsubscribes. */
  readonly onState: (listener: (state: ServerState) => void) => () => void
  /** Returns whether the event stream is connected. */
  readonly isStreaming: () => boolean
  /**
   * Resolves when the server is up and its event stream is connected. The server is retried in the background also after
   * this rejects.
   *
   * @throws SwitchyardError `opencode_unavailable` after `timeoutMs` (default: `outageMs`), and for a server that Switchyard
   *   starts, after `maxRetries` failed retries; an error that is not retryable, such as `home_in_use`, at once; or the
   *   signal's reason
   */
  readonly ready: (options?: { readonly signal?: AbortSignal; readonly timeoutMs?: number }) => Promise<void>
  /**
   * Subscribes to a session and all sessions below it. The listener gets `resync` once the stream is connected, and after
   * every reconnect: fetch the state then, because no event reports what happened in between.
   */
  readonly subscribe: SessionSubscriptions['subscribe']
  /**
   * Calls the listener for every event about any session, subscribed or not. Events that fall into a gap of the stream are
   * not repeated, so use them as hints only. Returns a function that unsubscribes.
   */
  readonly onSessionEvent: (listener: SessionListener) => () => void
  /** Returns the sessions that are working now, whichever client prompted them, as the event stream reports them. */
  readonly busy: ActivityTracker['busy']
  /** Resolves when `busy` includes the turns that started while the stream was disconnected. */
  readonly caughtUp: ActivityTracker['caughtUp']
  /** Checks directories in which sessions were working when the server was last reported, however long ago. */
  readonly checkForActivity: ActivityTracker['check']
  /** Returns the number of root sessions by directory, or undefined while it is unknown. */
  readonly sessionCounts: ActivityTracker['sessionCounts']
  /** Resolves with the memory of the server and its tools in bytes, or undefined when it is unknown. */
  readonly memory: () => Promise<number | undefined>
  /** Stops the server cleanly and starts it again. Running turns are interrupted; their subscribers have to resume them. */
  readonly restart: (reason: string) => Promise<void>
  /**
   * Closes the stream, and stops the server unless it is remote.
   *
   * @param options - `leave`: keeps the server running, because another Switchyard process supervises it
   */
  readonly close: (options?: { readonly leave?: boolean }) => Promise<void>
}

const DEFAULTS = {
  healthCheckIntervalMs: 5_000,
  maxRetries: 3,
  retryDelayMs: 1_000,
  maxRetryDelayMs: 10_000,
  outageMs: 90_000,
  healthTimeoutMs: 10_000,
  silenceMs: 60_000,
  watchdogMs: 25_000,
  callTimeoutMs: 30_000,
} as const

const start = (given: OpenCodeServerOptions): OpenCodeServer => {
  const options = { ...DEFAULTS, ...given }
  const { launcher, logger } = options
  const supervisor = supervise(options)
  const closing = new AbortController()
  const { signal } = closing
  /** The server's epoch at the last connection of the stream. */
  let streamedEpoch = 0

  const client = createClient({
    endpoint: () => supervisor.current(),
    maxRetries: options.maxRetries,
    retryDelayMs: options.retryDelayMs,
    timeoutMs: options.callTimeoutMs,
  })
  const isStreaming = (): boolean => stream.isConnected()
  const confirmation = createStreamConfirmation(client.publishCommand, logger)
  const activity = createActivityTracker({ client, isStreaming, signal, logger })
  const subscriptions = createSessionSubscriptions({ client, confirmation, isStreaming, signal, logger })

  const sessionListeners = new Set<SessionListener>()
  const notifySessionListeners = (event: OpenCodeEvent, directory: string | undefined): void => {
    const sessionId = sessionOf(event)
    if (sessionId === undefined) return
    for (const listener of sessionListeners) listener(sessionId, event, directory)
  }

  /** Called when the server's state or the stream's connection changes. */
  const readinessListeners = new Set<() => void>()
  const notifyReadinessListeners = (): void => {
    for (const listener of readinessListeners) listener()
  }

  const stream = openEventStream({
    endpoint: (limit) => waitForServer(supervisor, limit),
    onBytes: () => supervisor.recordSignOfLife(),
    logger,
    watchdogMs: options.watchdogMs,
    retryDelayMs: Math.min(options.retryDelayMs, options.maxRetryDelayMs),
    maxRetryDelayMs: options.maxRetryDelayMs,
    listener: {
      connected: ({ after }) => {
        const { epoch } = supervisor.state()
        const isNewServer = epoch !== streamedEpoch
        const reason = resyncReason(after, streamedEpoch !== 0 && isNewServer)
        streamedEpoch = epoch
        activity.connected({ isNewServer, mayHaveOldTurns: launcher.kind !== 'child' })
        confirmation.start()
        subscriptions.resyncAll(reason)
        notifyReadinessListeners()
      },
      event: (event, directory) => {
        activity.apply(event, directory)
        if (confirmation.handle(event)) return
        subscriptions.route(event)
        notifySessionListeners(event, directory)
        // The turns of a directory end with its instance, as they do with the server.
        if (event.type === 'server.instance.disposed') subscriptions.resyncAll('server_restarted', directory)
      },
      disconnected: () => {
        confirmation.stop()
        // Detects a restart between two regular health checks while the server is down, so that its epoch rises.
        supervisor.checkNow()
        notifyReadinessListeners()
      },
    },
  })

  let lastEpoch = 0
  supervisor.onState(({ epoch }) => {
    // Connects to a restarted server at once instead of after the backoff.
    if (epoch > lastEpoch && lastEpoch > 0) stream.reconnect()
    lastEpoch = epoch
    notifyReadinessListeners()
  })

  return {
    id: launcher.id,
    kind: launcher.kind,
    client,
    state: supervisor.state,
    onState: supervisor.onState,
    isStreaming,

    ready: ({ signal: callersSignal, timeoutMs = options.outageMs } = {}) =>
      new Promise((resolve, reject) => {
        const timeout = AbortSignal.timeout(timeoutMs)
        const limit = callersSignal ? AbortSignal.any([callersSignal, timeout]) : timeout
        const failedBefore = supervisor.state().failedStarts
        const finish = (act: () => void): void => {
          readinessListeners.delete(check)
          limit.removeEventListener('abort', check)
          act()
        }
        const check = (): void => {
          const { status, error, failedStarts } = supervisor.state()
          const isUp = status === 'up' || status === 'busy'
          const hasFailed = status === 'stopped' || failedStarts - failedBefore > options.maxRetries
          if (callersSignal?.aborted) finish(() => reject(callersSignal.reason))
          else if (isUp && stream.isConnected()) finish(resolve)
          else if (hasFailed || limit.aborted) finish(() => reject(error ?? notReadyError()))
        }
        readinessListeners.add(check)
        limit.addEventListener('abort', check)
        check()
      }),

    subscribe: subscriptions.subscribe,

    onSessionEvent: (listener) => {
      sessionListeners.add(listener)
      return () => sessionListeners.delete(listener)
    },

    busy: activity.busy,
    caughtUp: activity.caughtUp,
    checkForActivity: activity.check,
    sessionCounts: activity.sessionCounts,
    memory: async () => await supervisor.current()?.memory(),
    restart: supervisor.restart,

    close: async (how) => {
      closing.abort()
      await stream.close()
      await supervisor.close(how)
    },
  }
}

/** Starts or finds the server in the background and returns at once; `ready` waits for it. */
export const OpenCodeServer = { start } as const

const resyncReason = (after: Disconnect | undefined, hasRestarted: boolean): ResyncReason => {
  if (hasRestarted) return 'server_restarted'
  return after === 'watchdog' ? 'watchdog' : 'connected'
}

const notReadyError = (): SwitchyardError =>
  new SwitchyardError('opencode_unavailable', 'the OpenCode server did not become ready in time')
