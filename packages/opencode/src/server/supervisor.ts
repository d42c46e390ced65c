// Keeps one server running: starts it, checks its health, restarts it after a crash, and reports its state.

import { SwitchyardError, toSwitchyardError } from '@switchyard/contracts'
import type { Logger } from 'pino'
import { type Backoff, createBackoff } from '../connection/backoff.ts'
import { checkHealth } from '../connection/health-check.ts'
import type { RunningServer, ServerLauncher } from './launcher.ts'

/**
 * `starting`: not running yet. `up`: healthy. `busy`: running but slow to answer, which is normal under load. `down`: not
 * running; it is retried. `stopped`: permanently, because it was closed or no retry can succeed.
 */
type ServerStatus = 'starting' | 'up' | 'busy' | 'down' | 'stopped'

export type ServerState = {
  readonly status: ServerStatus
  /** Rises with every known (re)start of the server. Turns of an earlier epoch no longer run. */
  readonly epoch: number
  /** How often a running server was lost without a request to restart it. It crashed, was killed or was unreachable. */
  readonly losses: number
  readonly since: Date
  readonly version: string | undefined
  readonly url: string | undefined
  readonly pid: number | undefined
  readonly container: string | undefined
  /** When the server last showed a sign of life; null if never. */
  readonly lastHealthAt: Date | null
  /**
   * How many starts failed since the server was last up. Always 0 for a remote server: Switchyard does not start it, so
   * being unreachable is an outage, which is measured in time.
   */
  readonly failedStarts: number
  readonly error: SwitchyardError | undefined
}

export type SupervisorOptions = {
  readonly launcher: ServerLauncher
  readonly logger: Logger
  /** The time between health checks, also of a remote server that is down, ms. */
  readonly healthCheckIntervalMs: number
  /** The time limit of one health check, ms. A burst of cold directories stalls a healthy server for seconds. */
  readonly healthTimeoutMs: number
  /** The delay before the first restart, ms. It grows, with jitter, up to `maxRetryDelayMs`. */
  readonly retryDelayMs: number
  readonly maxRetryDelayMs: number
  /** A local server without any sign of life (health check, bytes of the event stream) for this long is replaced, ms. */
  readonly silenceMs: number
}

export type Supervisor = {
  readonly state: () => ServerState
  /** Returns the running server, or undefined when there is none. */
  readonly current: () => RunningServer | undefined
  /** Calls the listener after every change. Returns a function that unsubscribes. */
  readonly onState: (listener: (state: ServerState) => void) => () => void
  /** Records a sign of life that is not a health check, such as bytes on the event stream. */
  readonly recordSignOfLife: () => void
  /** Runs the next health check at once, for example after the event stream has ended. */
  readonly checkNow: () => void
  /** Stops the server and starts it again. Does nothing for a remote server, or when none is running. */
  readonly restart: (reason: string) => Promise<void>
  /** @param options - `leave`: keeps the server running, because another Switchyard process supervises it */
  readonly close: (options?: { readonly leave?: boolean }) => Promise<void>
}

/** A server that was up for this long counts as recovered, ms. */
const STABLE_MS = 30_000

type Running = { readonly server: RunningServer; lastSignOfLife: number }

/** Starts the server at once, and retries until it is closed or an error says that no retry can succeed. */
export const supervise = (options: SupervisorOptions): Supervisor => {
  const { launcher, logger } = options
  const closing = new AbortController()
  const listeners = new Set<(state: ServerState) => void>()
  const backoff = createBackoff({ baseMs: options.retryDelayMs, maxMs: options.maxRetryDelayMs })
  let running: Running | undefined
  let lastSignOfLife = 0
  let isRestartRequested = false
  let skipWait = new AbortController()
  let state: ServerState = {
    status: 'starting',
    epoch: 0,
    losses: 0,
    since: new Date(),
    version: undefined,
    url: undefined,
    pid: undefined,
    container: undefined,
    lastHealthAt: null,
    failedStarts: 0,
    error: undefined,
  }

  const currentState = (): ServerState => ({
    ...state,
    lastHealthAt: lastSignOfLife === 0 ? null : new Date(lastSignOfLife),
  })

  const change = (next: Partial<ServerState>): void => {
    const isNewStatus = next.status !== undefined && next.status !== state.status
    state = { ...state, ...next, ...(isNewStatus ? { since: new Date() } : {}) }
    if (isNewStatus) {
      const facts = { server: launcher.id, status: state.status, epoch: state.epoch, error: state.error?.message }
      if (state.status === 'down') logger.warn(facts, 'OpenCode server is down')
      else logger.info(facts, `OpenCode server is ${state.status}`)
    }
    for (const listener of listeners) listener(currentState())
  }

  const fail = (error: SwitchyardError, failedStarts: number): void => {
    running = undefined
    change({ status: 'down', failedStarts, error, pid: undefined, container: undefined })
  }

  const loop = async (): Promise<void> => {
    while (!closing.signal.aborted) {
      try {
        const server = await launcher.launch({ signal: closing.signal })
        const startedAt = Date.now()
        running = { server, lastSignOfLife: startedAt }
        lastSignOfLife = startedAt
        change({
          status: 'up',
          epoch: state.epoch + 1,
          version: server.version,
          url: server.url,
          pid: server.pid,
          container: server.container,
          failedStarts: 0,
          error: undefined,
        })
        const lost = await waitUntilLost(running)
        // A server that crashes soon after each start keeps its growing delay.
        if (isRestartRequested || Date.now() - startedAt >= STABLE_MS) backoff.reset()
        if (!isRestartRequested) state = { ...state, losses: state.losses + 1 }
        fail(lost, state.failedStarts)
        if (isRestartRequested) {
          isRestartRequested = false
          continue
        }
      } catch (thrown) {
        if (closing.signal.aborted) return
        const error = toSwitchyardError(thrown)
        fail(error, state.failedStarts + (isFailedStart(launcher, error) ? 1 : 0))
        if (isPermanent(error)) return change({ status: 'stopped' })
      }
      await waitBeforeRetry(backoff)
    }
  }

  /** Never waits longer than a health check interval for a remote server: checking it again costs nothing. */
  const waitBeforeRetry = (delays: Backoff): Promise<void> => {
    const limit = AbortSignal.timeout(
      launcher.kind === 'remote'
        ? Math.max(options.retryDelayMs, options.healthCheckIntervalMs)
        : options.maxRetryDelayMs,
    )
    return delays.wait(AbortSignal.any([closing.signal, limit]))
  }

  /** Checks the server's health until it is lost, and returns the reason. */
  const waitUntilLost = async (checked: Running): Promise<SwitchyardError> => {
    const exited = new AbortController()
    const exit = checked.server.exited.then((error) => {
      exited.abort()
      return error
    })
    const signal = AbortSignal.any([closing.signal, exited.signal])
    while (!signal.aborted) {
      skipWait = new AbortController()
      await sleep(options.healthCheckIntervalMs, AbortSignal.any([signal, skipWait.signal]))
      if (signal.aborted) break
      const lost = await check(checked, signal)
      if (lost) {
        if (launcher.kind === 'remote') return lost
        logger.error({ server: launcher.id, error: lost.message }, 'OpenCode server is unresponsive; replacing it')
        await checked.server.kill()
      }
    }
    if (closing.signal.aborted) throw new SwitchyardError('opencode_unavailable', 'the OpenCode server is being closed')
    return exit
  }

  /**
   * Returns the error when the server counts as lost. A slow server does not, nor does a connection that broke. For a remote
   * server, every answer but a healthy one counts: 502 and 401 come from what stands before a container that is not up.
   */
  const check = async (checked: Running, signal: AbortSignal): Promise<SwitchyardError | undefined> => {
    try {
      const { version } = await checkHealth(checked.server, { timeoutMs: options.healthTimeoutMs, signal })
      checked.lastSignOfLife = Date.now()
      lastSignOfLife = checked.lastSignOfLife
      if (state.status !== 'up') change({ status: 'up', version, error: undefined })
      return undefined
    } catch (thrown) {
      if (signal.aborted) return undefined
      const error = toSwitchyardError(thrown)
      const isSilent = Date.now() - checked.lastSignOfLife >= options.silenceMs
      const isDown = error.context.refused === true || error.context.status !== undefined
      if (isSilent || (isDown && launcher.kind === 'remote')) return error
      change({ status: 'busy', error })
      return undefined
    }
  }

  const done = loop()
  // The loop records every failure as a state; an exception here is a bug that nobody awaits.
  done.catch((error: unknown) => logger.error({ err: error }, 'supervisor of the OpenCode server failed'))

  return {
    state: currentState,
    current: () => running?.server,
    onState: (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    recordSignOfLife: () => {
      if (!running) return
      running.lastSignOfLife = Date.now()
      lastSignOfLife = running.lastSignOfLife
    },
    checkNow: () => skipWait.abort(),
    restart: async (reason) => {
      const server = running?.server
      if (!server || launcher.kind === 'remote') return
      logger.info({ server: launcher.id, reason }, 'restarting the OpenCode server')
      isRestartRequested = true
      await server.stop()
    },
    close: async ({ leave = false } = {}) => {
      if (state.status === 'stopped' && closing.signal.aborted) return done
      const server = running?.server
      closing.abort()
      if (!leave) await server?.stop()
      await done
      // The server may have come up after `running` was read.
      if (!leave) await running?.server.stop()
      running = undefined
      change({ status: 'stopped', pid: undefined, container: undefined })
    },
  }
}

/** An unreachable Docker engine or database, which a container's launcher also reports, is an outage like that of a remote server. */
const isFailedStart = ({ kind }: ServerLauncher, { code }: SwitchyardError): boolean =>
  kind !== 'remote' && code === 'opencode_unavailable'

/** Errors that are not retryable, such as a locked data directory or a missing executable, do not pass by themselves. */
const isPermanent = (error: SwitchyardError): boolean => !error.retryable

const sleep = (ms: number, signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) return resolve()
    const end = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', end)
      resolve()
    }
    const timer = setTimeout(end, ms)
    signal.addEventListener('abort', end, { once: true })
  })
