// One OpenCode server as the rest of Switchyard sees it: a client, watches on sessions, a state.

import { SwitchyardError, toSwitchyardError } from '@switchyard/contracts'
import type { Logger } from 'pino'
import { createClient, type OpenCodeClient } from './client/client.ts'
import type { Endpoint } from './connection/endpoint.ts'
import { type Activity, createActivity } from './events/activity.ts'
import {
  createRouter,
  type ResyncReason,
  type SessionSubscription,
  type SubscriptionListener,
  sessionOf,
} from './events/event-router.ts'
import { type Disconnect, type OpenCodeEvent, openEventStream } from './events/event-stream.ts'
import { directoriesOfOpenTurns, GAP_SLACK_MS, LOOK_BACK_MS } from './events/open-turns.ts'
import { createStreamEcho } from './events/stream-confirmation.ts'
import type { RunningServer, ServerLauncher } from './server/launcher.ts'
import { type ServerState, supervise } from './server/supervisor.ts'

export type OpenCodeServerOptions = {
  readonly launcher: ServerLauncher
  readonly logger: Logger
  /** OPENCODE_SERVER_HEALTH_CHECK_INTERVAL_MS; default 5000. */
  readonly healthCheckIntervalMs?: number
  /** OPENCODE_SERVER_MAX_RETRIES: further tries of a call, and failed starts until `ready` gives up; default 3. */
  readonly maxRetries?: number
  /** OPENCODE_SERVER_RETRY_DELAY_MS: before the first of them, growing with jitter; default 1000. */
  readonly retryDelayMs?: number
  /** Cap on that growth, in milliseconds; default 10 000. */
  readonly maxRetryDelayMs?: number
  /** Milliseconds for one health check; default 10 000. */
  readonly healthTimeoutMs?: number
  /** Milliseconds of complete silence after which a live child is replaced; default 60 000. */
  readonly silenceMs?: number
  /** Milliseconds without a byte after which the event stream is opened again; default 25 000 (heartbeats: every 10 s). */
  readonly watchdogMs?: number
  /** Milliseconds for one try of a call; default 30 000. */
  readonly callTimeoutMs?: number
}

export type SubscribeOptions = {
  /** The session was just created by us: there are no children to look for. */
  readonly isNew?: boolean
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
  /** Stable over restarts. */
  readonly id: string
  readonly kind: ServerLauncher['kind']
  readonly client: OpenCodeClient
  readonly state: () => ServerState
  /** Called after every change. @returns a function that ends the subscription. */
  readonly onState: (listener: (state: ServerState) => void) => () => void
  /** True while the event stream is established. */
  readonly isStreaming: () => boolean
  /**
   * Waits until the server is up and its events are streaming.
   *
   * @throws SwitchyardError `opencode_unavailable` after `maxRetries` further tries that failed or `timeoutMs` (90 s), or what makes trying
   * pointless (such as `home_in_use`); the signal's reason when it fires. The server is tried on in the background.
   */
  readonly ready: (options?: { readonly signal?: AbortSignal; readonly timeoutMs?: number }) => Promise<void>
  /**
   * Follows a session and all sessions below it. The listener hears `resync` as soon as the stream is established, and after
   * every new connection: only then fetch the state, because what happened in between is in no event.
   */
  readonly subscribe: (
    rootSessionId: string,
    directory: string,
    listener: SubscriptionListener,
    options?: SubscribeOptions,
  ) => SessionSubscription
  /**
   * Hears of every event that is about a session, watched or not. For hints only: what falls into a gap of the stream is
   * not told again. @returns a function that ends the subscription.
   */
  readonly onSessionEvent: (listener: SessionListener) => () => void
  /** The sessions that work now, whoever prompted them: as the event stream tells it. */
  readonly busy: Activity['busy']
  /** Waits until `busy` holds what began while nobody listened; at once where that is so, or where the server does not say. */
  readonly caughtUp: () => Promise<void>
  /** Has directories looked at where something worked when the server was last heard, however long ago that is. */
  readonly checkForActivity: (directories: readonly string[]) => void
  /** Root sessions by directory; undefined while nobody knows. */
  readonly sessionCounts: Activity['sessions']
  /** Bytes that the server and its tools hold; undefined where nobody can say. */
  readonly memory: () => Promise<number | undefined>
  /** Ends the server in good order and starts it again: turns that run are cut short, and go on when whoever watches takes them up. */
  readonly restart: (reason: string) => Promise<void>
  /**
   * Ends the stream, and a server of ours with everything it started.
   *
   * @param options - `leave`: the server runs on; another process of ours looks after it.
   */
  readonly close: (options?: { readonly leave?: boolean }) => Promise<void>
}

const DEFAULTS = {
  healthCheckIntervalMs: 5_000,
  maxRetries: 3,
  retryDelayMs: 1_000,
  maxRetryDelayMs: 10_000,
  healthTimeoutMs: 10_000,
  silenceMs: 60_000,
  watchdogMs: 25_000,
  callTimeoutMs: 30_000,
} as const

/** How many trees are looked up at once after a reconnect: enough to be quick, too few to stall a server that just came back. */
const LOOKUPS_AT_ONCE = 4

const start = (given: OpenCodeServerOptions): OpenCodeServer => {
  const options = { ...DEFAULTS, ...given }
  const { launcher, logger } = options
  const supervisor = supervise(options)
  const router = createRouter(logger)
  const activity = createActivity()
  const closing = new AbortController()
  let streamedEpoch = 0
  /** When something was last heard of the server, ms since 1970. */
  let heardAt: number | undefined
  let catchingUp: Promise<void> = Promise.resolve()
  /** Where something may work, as others have it; looked at when the server is there. */
  let toLookAt: readonly string[] = []

  const client = createClient({
    endpoint: () => supervisor.current(),
    maxRetries: options.maxRetries,
    retryDelayMs: options.retryDelayMs,
    timeoutMs: options.callTimeoutMs,
  })

  const echo = createStreamEcho(client.publishCommand, logger)

  const stream = openEventStream({
    endpoint: (signal) => runningServer(supervisor, signal),
    heard: () => supervisor.heard(),
    logger,
    watchdogMs: options.watchdogMs,
    retryDelayMs: Math.min(options.retryDelayMs, options.maxRetryDelayMs),
    maxRetryDelayMs: options.maxRetryDelayMs,
    listener: {
      connected: ({ after }) => {
        const { epoch } = supervisor.state()
        const reason = resyncReason(after, streamedEpoch !== 0 && epoch !== streamedEpoch)
        const isAnew = epoch !== streamedEpoch
        if (isAnew) activity.clear()
        streamedEpoch = epoch
        catchingUp = catchUp(isAnew && launcher.kind === 'child' ? undefined : (heardAt ?? 0) - GAP_SLACK_MS)
        heardAt = Date.now()
        echo.begin()
        void resyncAll(router.entries(), reason)
        announce()
      },
      event: (event, directory) => {
        heardAt = Date.now()
        if (echo.hear(event)) return
        activity.hear(event, directory)
        router.route(event)
        tellOfSession(event, directory)
        // The turns of a directory end with its instance, as they do with the server.
        if (event.type === 'server.instance.disposed') {
          void resyncAll(
            router.entries().filter((entry) => directory === undefined || entry.directory === directory),
            'server_restarted',
          )
        }
      },
      disconnected: () => {
        echo.end()
        // A server that restarts between two health checks is caught while it is away, and counted.
        supervisor.checkNow()
        announce()
      },
    },
  })

  type Entry = ReturnType<typeof router.entries>[number]

  /** Finds children whose creation fell into the gap, then tells the subscriber to fetch the state. */
  const resync = async (entry: Entry, reason: ResyncReason, isNew = false): Promise<void> => {
    // A connection that is lost already is followed by another one, with a resync of its own.
    if (!(await echo.confirm(entry.directory))) return
    if (!isNew) await adoptChildren(entry)
    router.resync(entry, reason)
  }

  /** @param since - ms since 1970, since when nothing was heard; undefined: nothing can have begun. */
  const catchUp = async (since: number | undefined): Promise<void> => {
    const given = { signal: closing.signal }
    try {
      if (since !== undefined) {
        const further = toLookAt
        toLookAt = []
        const open = await directoriesOfOpenTurns(client, Math.max(since, Date.now() - LOOK_BACK_MS), given)
        await activity.confirm((directory) => client.statuses(directory, given), [...further, ...open])
      }
      activity.count(await client.everySession({ roots: true }, given))
    } catch (error) {
      // The next connection asks again.
      logger.debug({ err: error }, 'what works on the server was not asked again')
    }
  }

  const adoptChildren = async (entry: Entry): Promise<void> => {
    try {
      const found = await client.children(
        { sessionId: entry.root, directory: entry.directory },
        { signal: closing.signal },
      )
      for (const session of found) router.adopt(session)
    } catch (error) {
      // The subscriber fetches the tree itself and meets the same error, with someone to tell it to.
      if (closing.signal.aborted) return
      logger.warn({ session_id: entry.root, error: toSwitchyardError(error).message }, 'could not list child sessions')
    }
  }

  const resyncAll = async (entries: readonly Entry[], reason: ResyncReason): Promise<void> => {
    const waiting = [...entries]
    const work = async (): Promise<void> => {
      for (let entry = waiting.shift(); entry; entry = waiting.shift()) await resync(entry, reason)
    }
    await Promise.all(Array.from({ length: LOOKUPS_AT_ONCE }, work))
  }

  const sessionListeners = new Set<SessionListener>()
  const tellOfSession = (event: OpenCodeEvent, directory: string | undefined): void => {
    const sessionId = sessionOf(event)
    if (sessionId === undefined) return
    for (const listener of sessionListeners) listener(sessionId, event, directory)
  }

  const listeners = new Set<() => void>()
  const announce = (): void => {
    for (const listener of listeners) listener()
  }
  let lastEpoch = 0
  supervisor.onState(({ epoch }) => {
    // A server that is there again is streamed from at once, not when the backoff says so.
    if (epoch > lastEpoch && lastEpoch > 0) stream.reconnect()
    lastEpoch = epoch
    announce()
  })

  return {
    id: launcher.id,
    kind: launcher.kind,
    client,
    state: supervisor.state,
    onState: supervisor.onState,
    isStreaming: stream.isConnected,

    ready: ({ signal: given, timeoutMs = 90_000 } = {}) =>
      new Promise((resolve, reject) => {
        const timeout = AbortSignal.timeout(timeoutMs)
        const signal = given ? AbortSignal.any([given, timeout]) : timeout
        const failuresBefore = supervisor.state().failures
        const finish = (act: () => void): void => {
          listeners.delete(look)
          signal.removeEventListener('abort', look)
          act()
        }
        const look = (): void => {
          const { status, error, failures } = supervisor.state()
          const isUp = status === 'up' || status === 'busy'
          const hasGivenUp = status === 'stopped' || failures - failuresBefore > options.maxRetries
          if (given?.aborted) finish(() => reject(given.reason))
          else if (isUp && stream.isConnected()) finish(resolve)
          else if (hasGivenUp || signal.aborted) finish(() => reject(error ?? notReadyError()))
        }
        listeners.add(look)
        signal.addEventListener('abort', look)
        look()
      }),

    subscribe: (rootSessionId, directory, listener, { isNew = false } = {}) => {
      const first = Promise.withResolvers<void>()
      // Nobody has to wait for it.
      first.promise.catch(() => undefined)
      const entry: Entry = {
        root: rootSessionId,
        directory,
        listener: (message) => {
          if (message.kind === 'resync') first.resolve()
          listener(message)
        },
      }
      const { remove } = router.add(entry)
      if (stream.isConnected()) {
        void resync(entry, 'connected', isNew)
      }
      return {
        sessionId: rootSessionId,
        directory,
        sessions: () => router.tree(rootSessionId),
        established: first.promise,
        close: () => {
          remove()
          first.reject(new SwitchyardError('opencode_unavailable', 'the subscription was closed'))
        },
      }
    },

    onSessionEvent: (listener) => {
      sessionListeners.add(listener)
      return () => sessionListeners.delete(listener)
    },

    busy: activity.busy,
    caughtUp: () => catchingUp,
    checkForActivity: (directories) => {
      toLookAt = directories
      if (directories.length > 0 && stream.isConnected())
        catchingUp = catchingUp.then(() => catchUp(Date.now() - GAP_SLACK_MS))
    },
    sessionCounts: activity.sessions,
    memory: async () => await supervisor.current()?.memory(),
    restart: supervisor.restart,

    close: async (how) => {
      closing.abort()
      await stream.close()
      await supervisor.close(how)
    },
  }
}

/** Starts the server, or begins to watch it, and returns at once; `ready` waits. */
export const OpenCodeServer = { start } as const

const resyncReason = (after: Disconnect | undefined, hasRestarted: boolean): ResyncReason => {
  if (hasRestarted) return 'server_restarted'
  return after === 'watchdog' ? 'watchdog' : 'connected'
}

const notReadyError = (): SwitchyardError =>
  new SwitchyardError('opencode_unavailable', 'the OpenCode server is not ready')

/** Waits for a server to connect to. */
const runningServer = (
  supervisor: ReturnType<typeof supervise>,
  signal: AbortSignal,
): Promise<RunningServer & Endpoint> =>
  new Promise((resolve, reject) => {
    const look = (): void => {
      const server = supervisor.current()
      if (!server && !signal.aborted) return
      stopListening()
      signal.removeEventListener('abort', look)
      if (server) resolve(server)
      else reject(signal.reason)
    }
    const stopListening = supervisor.onState(look)
    signal.addEventListener('abort', look)
    look()
  })
