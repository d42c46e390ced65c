// Keeps one server up: starts it, watches its health, starts it again after a crash, and says how it stands.

import { SwitchyardError, toSwitchyardError } from '@switchyard/contracts'
import type { Logger } from 'pino'
import { type Backoff, createBackoff } from '../connection/backoff.ts'
import { checkHealth } from '../connection/health-check.ts'
import type { RunningServer, ServerLauncher } from './launcher.ts'

/**
 * `starting` not there yet · `up` answers · `busy` there, but slow to answer, which is normal under load ·
 * `down` not there, tried again · `stopped` for good: closed, or no further try can help
 */
export type ServerStatus = 'starting' | 'up' | 'busy' | 'down' | 'stopped'

export type ServerState = {
  readonly status: ServerStatus
  /** Rises whenever the server (re)started, as far as can be known. What ran in an earlier epoch runs no more. */
  readonly epoch: number
  readonly since: Date
  readonly version: string | undefined
  readonly url: string | undefined
  readonly pid: number | undefined
  readonly container: string | undefined
  /** When it last gave a sign of life; null: never. */
  readonly lastHealthAt: Date | null
  /** Tries since it was last up that failed. */
  readonly failures: number
  readonly error: SwitchyardError | undefined
}

export type SupervisorOptions = {
  readonly launcher: ServerLauncher
  readonly logger: Logger
  /** Milliseconds between health checks; also between looks at a remote server that is down. */
  readonly healthCheckIntervalMs: number
  /** Milliseconds for one health check; wide, because a burst of cold directories stalls a healthy server for seconds. */
  readonly healthTimeoutMs: number
  /** Milliseconds before the first new start; it grows from there, with jitter, up to `maxRetryDelayMs`. */
  readonly retryDelayMs: number
  readonly maxRetryDelayMs: number
  /** Milliseconds without any sign of life (health answer, event stream bytes) after which a live child is replaced. */
  readonly silenceMs: number
}

export type Supervisor = {
  readonly state: () => ServerState
  /** The server as it runs now; undefined while there is none. */
  readonly current: () => RunningServer | undefined
  /** @returns a function that ends the subscription. */
  readonly onState: (listener: (state: ServerState) => void) => () => void
  /** A sign of life that came another way, such as bytes on the event stream. */
  readonly heard: () => void
  /** Does the next health check at once: a reason to doubt came another way, such as the end of the event stream. */
  readonly checkNow: () => void
  /** Ends the server in good order and starts it again. Nothing for a remote one, and while there is none. */
  readonly restart: (reason: string) => Promise<void>
  /** @param options - `leave`: the server runs on; another process of ours looks after it. */
  readonly close: (options?: { readonly leave?: boolean }) => Promise<void>
}

/** Up for this long, in milliseconds, a server has recovered. */
const STABLE_MS = 30_000

type Running = { readonly server: RunningServer; lastHeard: number }

/** Starts at once and never gives up until it is closed, unless an error says that no further try can help. */
export const supervise = (options: SupervisorOptions): Supervisor => {
  const { launcher, logger } = options
  const closing = new AbortController()
  const listeners = new Set<(state: ServerState) => void>()
  const backoff = createBackoff({ baseMs: options.retryDelayMs, maxMs: options.maxRetryDelayMs })
  let running: Running | undefined
  let heardAt = 0
  let isWanted = false
  let hurry = new AbortController()
  let state: ServerState = {
    status: 'starting',
    epoch: 0,
    since: new Date(),
    version: undefined,
    url: undefined,
    pid: undefined,
    container: undefined,
    lastHealthAt: null,
    failures: 0,
    error: undefined,
  }

  const current = (): ServerState => ({ ...state, lastHealthAt: heardAt === 0 ? null : new Date(heardAt) })

  const change = (next: Partial<ServerState>): void => {
    const isNewStatus = next.status !== undefined && next.status !== state.status
    state = { ...state, ...next, ...(isNewStatus ? { since: new Date() } : {}) }
    if (isNewStatus) {
      const facts = { server: launcher.id, status: state.status, epoch: state.epoch, error: state.error?.message }
      if (state.status === 'down') logger.warn(facts, 'OpenCode server is down')
      else logger.info(facts, `OpenCode server is ${state.status}`)
    }
    for (const listener of listeners) listener(current())
  }

  const fail = (error: SwitchyardError): void => {
    running = undefined
    change({ status: 'down', failures: state.failures + 1, error, pid: undefined, container: undefined })
  }

  const loop = async (): Promise<void> => {
    while (!closing.signal.aborted) {
      try {
        const server = await launcher.launch({ signal: closing.signal })
        const startedAt = Date.now()
        running = { server, lastHeard: startedAt }
        heardAt = startedAt
        change({
          status: 'up',
          epoch: state.epoch + 1,
          version: server.version,
          url: server.url,
          pid: server.pid,
          container: server.container,
          failures: 0,
          error: undefined,
        })
        const lost = await untilLost(running)
        // One that crashes right after each start is started ever more slowly.
        if (isWanted || Date.now() - startedAt >= STABLE_MS) backoff.reset()
        fail(lost)
        if (isWanted) {
          isWanted = false
          continue
        }
      } catch (thrown) {
        if (closing.signal.aborted) return
        const error = toSwitchyardError(thrown)
        fail(error)
        if (isHopeless(error)) return change({ status: 'stopped' })
      }
      await pause(backoff)
    }
  }

  /** A remote server is only looked at, which costs nothing, so it is never left alone for longer than a check takes. */
  const pause = (waiting: Backoff): Promise<void> => {
    const limit = AbortSignal.timeout(
      launcher.kind === 'remote'
        ? Math.max(options.retryDelayMs, options.healthCheckIntervalMs)
        : options.maxRetryDelayMs,
    )
    return waiting.wait(AbortSignal.any([closing.signal, limit]))
  }

  /** Watches until the server is lost, and says why. */
  const untilLost = async (watched: Running): Promise<SwitchyardError> => {
    const ended = new AbortController()
    const exit = watched.server.exited.then((error) => {
      ended.abort()
      return error
    })
    const signal = AbortSignal.any([closing.signal, ended.signal])
    while (!signal.aborted) {
      hurry = new AbortController()
      await sleep(options.healthCheckIntervalMs, AbortSignal.any([signal, hurry.signal]))
      if (signal.aborted) break
      const lost = await check(watched, signal)
      if (lost) {
        if (launcher.kind === 'remote') return lost
        logger.error({ server: launcher.id, error: lost.message }, 'replacing an OpenCode server that does not react')
        await watched.server.kill()
      }
    }
    if (closing.signal.aborted) throw new SwitchyardError('opencode_unavailable', 'the OpenCode server is being closed')
    return exit
  }

  /** @returns the error when the server counts as lost; a slow one does not. */
  const check = async (watched: Running, signal: AbortSignal): Promise<SwitchyardError | undefined> => {
    try {
      const { version } = await checkHealth(watched.server, { timeoutMs: options.healthTimeoutMs, signal })
      watched.lastHeard = Date.now()
      heardAt = watched.lastHeard
      if (state.status !== 'up') change({ status: 'up', version, error: undefined })
      return undefined
    } catch (thrown) {
      if (signal.aborted) return undefined
      const error = toSwitchyardError(thrown)
      const isSilent = Date.now() - watched.lastHeard >= options.silenceMs
      const isRefused = error.context.refused === true
      if (isSilent || (isRefused && launcher.kind === 'remote')) return error
      change({ status: 'busy', error })
      return undefined
    }
  }

  const done = loop()
  // The loop ends with a state, never with an exception that nobody awaits.
  done.catch((error: unknown) => logger.error({ err: error }, 'the supervisor of the OpenCode server ended'))

  return {
    state: current,
    current: () => running?.server,
    onState: (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    heard: () => {
      if (!running) return
      running.lastHeard = Date.now()
      heardAt = running.lastHeard
    },
    checkNow: () => hurry.abort(),
    restart: async (reason) => {
      const server = running?.server
      if (!server || launcher.kind === 'remote') return
      logger.info({ server: launcher.id, reason }, 'the OpenCode server is started anew')
      isWanted = true
      await server.stop()
    },
    close: async ({ leave = false } = {}) => {
      if (state.status === 'stopped' && closing.signal.aborted) return done
      const server = running?.server
      closing.abort()
      if (!leave) await server?.stop()
      await done
      // It may have come up while the closing began.
      if (!leave) await running?.server.stop()
      running = undefined
      change({ status: 'stopped', pid: undefined, container: undefined })
    },
  }
}

/** `opencode_unavailable` may pass; a locked data directory, a missing executable or a bad setting does not by itself. */
const isHopeless = (error: SwitchyardError): boolean => !error.retryable

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
