// The embedded PostgreSQL of a home: creates it on the first start, restarts it when it dies, and stops it.

import { realpath } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { SwitchyardError } from '@switchyard/contracts'
import type { Logger } from 'pino'
import { findFreePort } from '../system/free-port.ts'
import { fromHomeError } from '../system/home-errors.ts'
import { lockHome } from '../system/home-lock.ts'
import { openCluster, USER } from './cluster.ts'
import { stopLeftoverServer } from './leftover-server.ts'
import { locate } from './location.ts'
import { findNative, prepareBinaries } from './native.ts'
import { RetryableStart, type Server, type ServerOptions, startServer } from './server.ts'
import { openServerLog, type ServerLog } from './server-log.ts'

const START_TRIES = 5
/** A server that runs longer than this counts as healthy: the next failure starts a new series of restarts. */
const HEALTHY_MS = 60_000
const MAX_RESTARTS = 5
const FIRST_BACKOFF_MS = 100

export type PostgresOptions = {
  /** The directory that contains everything. The caller has locked it. */
  readonly home: string
  /** Default 100. */
  readonly maxConnections?: number
  readonly logger: Pick<Logger, 'info' | 'warn' | 'error'>
  /** Called once when the server has died and could not be restarted. */
  readonly onFailed?: (error: SwitchyardError) => void
  readonly signal?: AbortSignal
}

export type Postgres = {
  /** Connection URL with the password. It does not change when the server restarts. */
  readonly url: string
  readonly port: number
  readonly dataDirectory: string
  /** Whether this start created the database. */
  readonly isNew: boolean
  /** The server's pid; it changes when the server is restarted. */
  pid(): number
  /** Stops the server. Safe to call twice. */
  stop(): Promise<void>
}

/**
 * Starts the embedded PostgreSQL of a home.
 *
 * @throws SwitchyardError `directory_unwritable`, `disk_full`, `database_unavailable`, `not_supported`, `home_in_use`
 * @example const postgres = await startPostgres({ home, logger }); await postgres.stop()
 */
export const startPostgres = async (options: PostgresOptions): Promise<Postgres> => {
  const home = await realpath(options.home)
  const location = await locate(home).catch((error: unknown) => {
    throw fromHomeError(error, home)
  })
  // A copy of a home uses the same directory outside it.
  const lock = location.isOutside ? await lockHome(location.directory) : undefined
  const closing: (() => void)[] = [() => lock?.release()]
  const closeAll = () => {
    for (const close of closing.splice(0).reverse()) close()
  }
  try {
    const binaries = await prepareBinaries(findNative(), location.account, location.directory)
    const cluster = await openCluster(location, binaries, options.signal)
    const data = await realpath(cluster.data)
    await stopLeftoverServer(data)
    const log = openServerLog(path.join(home, 'logs', 'postgres.log'))
    closing.push(log.close)
    const base = {
      postgres: binaries.postgres,
      data,
      maxConnections: options.maxConnections ?? 100,
      account: location.account,
      log,
    }
    const { server, port } = await startOnFreePort(base, options.signal)
    const keeper = keepRunning(server, { ...base, port }, options)
    return {
      url: `postgres://${USER}:${cluster.password}@127.0.0.1:${port}/postgres`,
      port,
      dataDirectory: data,
      isNew: cluster.isNew,
      pid: keeper.pid,
      async stop() {
        await keeper.stop()
        closeAll()
      },
    }
  } catch (error) {
    closeAll()
    throw fromHomeError(error, location.directory)
  }
}

const startOnFreePort = async (
  base: Omit<ServerOptions, 'port'>,
  signal: AbortSignal | undefined,
): Promise<{ readonly server: Server; readonly port: number }> => {
  for (let attempt = 1; ; attempt += 1) {
    const port = await findFreePort()
    try {
      return { server: await startServer({ ...base, port }, signal), port }
    } catch (error) {
      if (!(error instanceof RetryableStart)) throw error
      if (attempt >= START_TRIES) throw exhausted(error, base.log)
      if (error.reason === 'workers') await sleep(attempt * 400, undefined, signal ? { signal } : {})
    }
  }
}

const exhausted = (error: Error, log: ServerLog): SwitchyardError =>
  new SwitchyardError('database_unavailable', `PostgreSQL did not start: ${error.message}`, {
    hint: `Read its log: ${log.file}.`,
    cause: error,
  })

/** Restarts the server on the same port when it dies, so that connection pools reconnect by themselves. */
const keepRunning = (first: Server, serverOptions: ServerOptions, options: PostgresOptions) => {
  const { logger, onFailed } = options
  const stopping = new AbortController()
  let current = first

  const watch = async (): Promise<void> => {
    let failures = 0
    let since = Date.now()
    for (;;) {
      const how = await current.exited
      if (stopping.signal.aborted) return
      failures = Date.now() - since > HEALTHY_MS ? 1 : failures + 1
      const log = serverOptions.log.tail()
      logger.warn({ how, restart: failures, log }, 'PostgreSQL exited unexpectedly; restarting')
      const restarted = await restart(failures)
      if (stopping.signal.aborted) {
        await restarted?.stop()
        return
      }
      if (restarted === undefined) {
        const last = serverOptions.log.tail().slice(-5).join(' | ')
        onFailed?.(
          new SwitchyardError(
            'database_unavailable',
            `PostgreSQL exited (${how}) and could not be restarted: ${last}`,
            {
              hint: `Read its log: ${serverOptions.log.file}.`,
            },
          ),
        )
        return
      }
      current = restarted
      since = Date.now()
      logger.info({ pid: current.pid }, 'PostgreSQL restarted')
    }
  }

  const restart = async (failures: number): Promise<Server | undefined> => {
    for (let attempt = failures; attempt <= MAX_RESTARTS; attempt += 1) {
      try {
        await sleep(FIRST_BACKOFF_MS * 2 ** (attempt - 1), undefined, { signal: stopping.signal })
        return await startServer(serverOptions, stopping.signal)
      } catch (error) {
        if (stopping.signal.aborted) return undefined
        logger.warn({ err: error, attempt }, 'failed to restart PostgreSQL')
      }
    }
    return undefined
  }

  const watched = watch()
  return {
    pid: () => current.pid,
    async stop() {
      stopping.abort()
      await current.stop()
      // A restart in progress is aborted here, or its server is stopped.
      await watched
    },
  }
}
