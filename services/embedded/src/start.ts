// Switchyard in one process: everything started, in the order that is quickest, and stopped in the order that is kind.

import { mkdir } from 'node:fs/promises'
import { createApi, serve } from '@switchyard/api'
import { type Config, createLogger, type Logger, warnOfWeakSecrets } from '@switchyard/config'
import { isSwitchyardError, type SwitchyardError, toSwitchyardError } from '@switchyard/contracts'
import { startNotifier } from '@switchyard/notifier'
import { childServer, OpenCodeServer, remoteServer } from '@switchyard/opencode'
import { createShutdown, type Shutdown } from '@switchyard/process'
import { createBus, type QueueConnection, TaskQueue } from '@switchyard/queue'
import { Records } from '@switchyard/records'
import { childServerFactory, startWorker } from '@switchyard/worker'
import { Layout } from '@switchyard/workspace/layout'
import { requireFreePort } from './free-port.ts'
import { type Guard, guardProcess } from './guard.ts'
import { fromHomeError } from './home-errors.ts'
import { lockHome } from './home-lock.ts'
import { openLogs } from './logs.ts'
import { startPostgres } from './postgres/postgres.ts'
import { withWebhookSecret } from './webhook-secret.ts'

const OPENCODE_WAIT_MS = 30_000
/** How long the start waits to hear which providers there are, for the message only. */
const CATALOG_WAIT_MS = 2_500
/** Connections beside those of the tasks: api, queue, heartbeat, sweeper, a person with psql. */
const SPARE_CONNECTIONS = 40

export type EmbeddedOptions = {
  /** `PORT` 0 takes a free port; without `DATABASE_URL` the embedded PostgreSQL is started. */
  readonly config: Config
  /** Default: `<home>/logs/switchyard.log`, warnings on standard error too. */
  readonly logger?: Logger
  /**
   * How long the start waits for OpenCode, ms; default 30 s. It goes on without, and tasks wait in the queue until it is there.
   */
  readonly opencodeWaitMs?: number
  /** Aborts a start that is under way; what was started is stopped. */
  readonly signal?: AbortSignal
  /** Called when a part has failed for good while everything runs. The caller closes. */
  readonly onFatal?: (error: SwitchyardError) => void
}

export type Embedded = {
  /** Where REST and MCP (`/mcp`) are served. */
  readonly url: string
  readonly databaseUrl: string
  /** Null where OPENCODE_SERVER_ENABLED is false. */
  readonly opencode: OpenCodeServer | null
  /** Ids of the model providers that OpenCode knows; undefined where it did not answer in time. */
  readonly providers: readonly string[] | undefined
  /** Without the time that loading the program took. */
  readonly startedInMs: number
  /**
   * Stops everything: the api takes no more calls, the worker leaves its tasks to the next start, then OpenCode, the queue and
   * PostgreSQL end, and the home is free again. Bounded; safe to call twice.
   */
  close(): Promise<void>
}

/**
 * Starts api, worker, notifier, OpenCode and PostgreSQL in and under this process.
 *
 * @throws SwitchyardError `address_in_use`, `home_in_use`, `directory_unwritable`, `disk_full`, `database_unavailable`,
 *   `not_supported`, `opencode_unavailable` (only where no waiting will help). Nothing is left running then.
 * @example const switchyard = await startEmbedded({ config: loadConfig() }); await switchyard.close()
 */
export const startEmbedded = async (options: EmbeddedOptions): Promise<Embedded> => {
  const { config } = options
  const began = performance.now()
  await requireFreePort(config.api.port, config.api.host)
  const lock = await lockHome(config.home)
  const logs = options.logger ? undefined : openLogs(config.home)
  const logger = options.logger ?? createLogger(config, 'switchyard', logs)
  warnOfWeakSecrets(config, logger)
  const shutdown = createShutdown(logger)
  shutdown.add('logs', 1_000, () => logs?.close())
  shutdown.add('home', 1_000, () => lock.release())
  try {
    const close = async (): Promise<void> => void (await shutdown.run())
    const started = await startParts(options, logger, shutdown)
    return { ...started, startedInMs: performance.now() - began, close }
  } catch (error) {
    await shutdown.run()
    options.signal?.throwIfAborted()
    throw fromHomeError(error, config.home)
  }
}

const startParts = async (options: EmbeddedOptions, logger: Logger, shutdown: Shutdown) => {
  const { config, signal } = options
  for (const directory of [config.home, config.workspacesDir]) await mkdir(directory, { recursive: true })

  // OpenCode takes longest; it starts while everything else does.
  const opencode = config.opencode.serverEnabled ? startOpenCode(config, logger) : null
  if (opencode) shutdown.add('opencode', 20_000, opencode.close)
  const offered = opencode?.whenReady(options.opencodeWaitMs ?? OPENCODE_WAIT_MS, signal) ?? Promise.resolve(undefined)
  // Awaited below; another part may fail first.
  offered.catch(() => {})

  const { databaseUrl, records } = await openRecords(options, logger, shutdown)
  const connection: QueueConnection = config.redisUrl ? { redisUrl: config.redisUrl } : { postgresUrl: databaseUrl }
  const queue = new TaskQueue(connection, logger)
  shutdown.add('queue', 5_000, () => queue.close())
  const bus = createBus(config.redisUrl, logger)
  shutdown.add('bus', 5_000, () => bus.close())
  await Promise.all([records.migrate(), queue.ready()])
  signal?.throwIfAborted()

  const worker = await startWorker({
    config,
    records,
    connection,
    queue,
    bus,
    server: opencode?.server ?? null,
    serverFactory: childServerFactory({
      root: new Layout(config).servers,
      env: config.opencode.inherited,
      guard: (pid) => {
        const guard = guardProcess(pid, 'TERM')
        return () => guard.close()
      },
      logger,
    }),
    logger,
  })
  shutdown.add('worker', 10_000, () => worker.close())
  const api = createApi({ config, records, queue, bus, logger })
  const serving = await serve(api.app, config.api)
  shutdown.add('api', 10_000, async () => {
    // New calls are refused at once; open streams end with the api, and only then can the server be done.
    const closed = serving.close()
    await api.close()
    await closed
  })

  // Nobody waits for the notifier: what is to be told is in the record. It starts while OpenCode does.
  const notifying = withWebhookSecret(config, logger)
    .then((configured) => startNotifier({ config: configured, records, connection, bus, logger }))
    .then((notifier) => shutdown.add('notifier', 10_000, () => notifier.close()))
  // Both to their end: what has started is known to `shutdown` before anything is stopped.
  await Promise.allSettled([offered, notifying])
  await notifying
  const providers = await offered
  signal?.throwIfAborted()
  return { url: serving.url, databaseUrl, opencode: opencode?.server ?? null, providers }
}

const openRecords = async (options: EmbeddedOptions, logger: Logger, shutdown: Shutdown) => {
  const { config, signal, onFatal } = options
  // Every running task may hold a repository's lock, which is a connection, while it writes through another one.
  const max = config.worker.maxConcurrentTasks + 10
  let { databaseUrl } = config
  if (databaseUrl === undefined) {
    const postgres = await startPostgres({
      home: config.home,
      maxConnections: max + SPARE_CONNECTIONS,
      logger,
      ...(onFatal ? { onFailed: onFatal } : {}),
      ...(signal ? { signal } : {}),
    })
    shutdown.add('postgres', 30_000, () => postgres.stop())
    databaseUrl = postgres.url
  }
  let isClosing = false
  const records = new Records({
    connectionString: databaseUrl,
    applicationName: 'switchyard',
    max,
    onConnectionError: (error) => {
      // The pool is closed before its sockets are: a database that ends right after breaks the last of them.
      if (!isClosing) logger.warn({ err: error.message }, 'a database connection broke')
    },
  })
  shutdown.add('records', 5_000, () => {
    isClosing = true
    return records.close()
  })
  return { databaseUrl, records }
}

const startOpenCode = (config: Config, logger: Logger) => {
  const { url, password, memoryFile, healthCheckIntervalMs, maxRetries, retryDelayMs, inherited } = config.opencode
  // A server whose Switchyard was killed, in the middle of its start too, would go on working for nobody. The next start
  // sweeps its tools.
  let guard: Guard | undefined
  const guardNew = (pid: number): void => {
    guard?.close()
    guard = guardProcess(pid, 'TERM')
  }
  const launcher =
    url === undefined
      ? childServer({
          dataDir: new Layout(config).opencode,
          ...(password === undefined ? {} : { password }),
          env: inherited,
          // git gives the diffs; snapshots of its own cost two thirds of the throughput within one directory.
          config: { snapshot: false },
          logger,
          onSpawn: guardNew,
        })
      : remoteServer({ url, password: password ?? '', memoryFile })
  const server = OpenCodeServer.start({ launcher, logger, healthCheckIntervalMs, maxRetries, retryDelayMs })

  return {
    server,
    /** @returns the ids of the providers; undefined where the server does not say in time. */
    whenReady: async (waitMs: number, signal: AbortSignal | undefined): Promise<readonly string[] | undefined> => {
      try {
        const limit = withLimit(waitMs, signal)
        await server.ready({ signal: limit })
        const catalog = await server.client.catalog(config.workspacesDir, {
          signal: withLimit(CATALOG_WAIT_MS, limit),
        })
        return catalog.providers.map((provider) => provider.id)
      } catch (error) {
        signal?.throwIfAborted()
        if (isSwitchyardError(error) && !error.retryable) throw error
        const { status, error: reason } = server.state()
        const facts = { status, err: reason?.message ?? toSwitchyardError(error).message }
        if (status === 'up') logger.info(facts, 'started without knowing what OpenCode offers')
        else logger.info(facts, 'started before OpenCode; tasks wait until it is there')
        return undefined
      }
    },
    close: async () => {
      await server.close()
      guard?.close()
    },
  }
}

const withLimit = (ms: number, signal: AbortSignal | undefined): AbortSignal =>
  AbortSignal.any([AbortSignal.timeout(ms), ...(signal ? [signal] : [])])
