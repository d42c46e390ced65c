// Starts and stops all of Switchyard in one process.

import { mkdir } from 'node:fs/promises'
import path from 'node:path'
import { createApi, serve } from '@switchyard/api'
import { type Config, createLogger, type Logger, warnOfWeakSecrets } from '@switchyard/config'
import type { SwitchyardError } from '@switchyard/contracts'
import { type StartedGateway, startModelGateway } from '@switchyard/model-gateway-service'
import { startNotifier } from '@switchyard/notifier'
import type { OpenCodeServer } from '@switchyard/opencode'
import { createShutdown, type Shutdown } from '@switchyard/process'
import { createBus, type QueueConnection, TaskQueue } from '@switchyard/queue'
import { Records } from '@switchyard/records'
import { type PreparedSandbox, withVariables } from '@switchyard/tool-sandbox'
import { childServerFactory, startWorker } from '@switchyard/worker'
import { Layout } from '@switchyard/workspace/layout'
import { openLogs } from './logs.ts'
import { startOpenCode } from './opencode.ts'
import { startPostgres } from './postgres/postgres.ts'
import { createStartProgress } from './start-progress.ts'
import { requireFreePort } from './system/free-port.ts'
import { guardProcess } from './system/guard.ts'
import { fromHomeError } from './system/home-errors.ts'
import { lockHome } from './system/home-lock.ts'
import { prepareToolSandbox } from './tool-sandbox.ts'
import { withWebhookSecret } from './webhook-secret.ts'

const OPENCODE_WAIT_MS = 30_000
/** Connections in addition to those of tasks: api, queue, heartbeat, sweeper, a person with psql. */
const SPARE_CONNECTIONS = 40

export type EmbeddedOptions = {
  /** `PORT` 0 selects a free port. Without `DATABASE_URL` the embedded PostgreSQL starts. */
  readonly config: Config
  /** Default: `<home>/logs/switchyard.log`, with warnings on standard error too. */
  readonly logger?: Logger
  /** How long the start waits for OpenCode, ms; default 30 s. After that, tasks wait in the queue until it is ready. */
  readonly opencodeWaitMs?: number
  /** Aborts the start and stops what has started so far. */
  readonly signal?: AbortSignal
  /** Called when a component has failed permanently. The caller must close. */
  readonly onFatal?: (error: SwitchyardError) => void
}

export type Embedded = {
  /** Address of REST and MCP (`/mcp`). */
  readonly url: string
  readonly databaseUrl: string
  /** Null if OPENCODE_SERVER_ENABLED is false. */
  readonly opencode: OpenCodeServer | null
  /** Ids of the model providers that OpenCode knows; undefined if it was not ready in time. */
  readonly providers: readonly string[] | undefined
  readonly sandbox: PreparedSandbox
  /** Excludes the time to load the program. */
  readonly startedInMs: number
  /**
   * Stops everything in order: notifier, api, worker (its tasks continue at the next start), queue,
   * database, OpenCode. Every step has a time limit. Safe to call twice.
   */
  close(): Promise<void>
}

/**
 * Starts api, worker and notifier in this process, and OpenCode and PostgreSQL as its children. If the
 * start fails, it stops everything first.
 *
 * @throws SwitchyardError `address_in_use`, `home_in_use`, `directory_unwritable`, `disk_full`,
 *   `database_unavailable`, `not_supported`, `opencode_unavailable` (only if waiting cannot help)
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
  using progress = createStartProgress(logger)
  for (const directory of [config.home, config.workspacesDir]) await mkdir(directory, { recursive: true })

  const gateway = await startGateway(config, logger)
  if (gateway) shutdown.add('model gateway', 5_000, gateway.close)
  // OpenCode takes longest to start, so it starts first and nothing waits for it here.
  const sandbox = await prepareToolSandbox(config, logger)
  const opencode = config.opencode.serverEnabled ? startOpenCode(config, gateway?.open, sandbox, logger) : null
  if (opencode) shutdown.add('opencode', 20_000, opencode.close)
  const providersKnown =
    opencode?.whenReady(options.opencodeWaitMs ?? OPENCODE_WAIT_MS, signal) ?? Promise.resolve(undefined)
  // Awaited below, unless another component fails first.
  providersKnown.catch(() => {})

  progress.waitFor('postgres')
  const { databaseUrl, records } = await openRecords(options, logger, shutdown)
  const connection: QueueConnection = config.redisUrl ? { redisUrl: config.redisUrl } : { postgresUrl: databaseUrl }
  const queue = new TaskQueue(connection, logger)
  shutdown.add('queue', 5_000, () => queue.close())
  const bus = createBus(config.redisUrl, logger)
  shutdown.add('bus', 5_000, () => bus.close())
  progress.waitFor('database migrations')
  await Promise.all([records.migrate(), queue.ready()])
  gateway?.record(records)
  if (gateway) shutdown.add('model usage', 5_000, gateway.stopRecording)
  signal?.throwIfAborted()

  progress.waitFor('worker')
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
      sandbox: sandbox.isAvailable ? (variables) => withVariables(sandbox.server, variables) : null,
      guard: (pid) => {
        const guard = guardProcess(pid, 'TERM')
        return () => guard.close()
      },
      ...(gateway ? { openGateway: gateway.open } : {}),
      logger,
    }),
    logger,
  })
  shutdown.add('worker', 10_000, () => worker.close())
  const api = createApi({ config, records, queue, bus, logger })
  progress.waitFor('api')
  const serving = await serve(api.app, config.api)
  shutdown.add('api', 10_000, async () => {
    // The server refuses new calls immediately, and finishes when the api has closed the open streams.
    const closed = serving.close()
    await api.close()
    await closed
  })

  progress.waitFor('notifier and OpenCode')
  // Deliveries are in the outbox, so the notifier can start while OpenCode does.
  const notifying = withWebhookSecret(config, logger)
    .then((configured) => startNotifier({ config: configured, records, connection, bus, logger }))
    .then((notifier) => shutdown.add('notifier', 10_000, () => notifier.close()))
  // Wait for both even if one fails: `shutdown` must know everything that has started.
  await Promise.allSettled([providersKnown, notifying])
  await notifying
  const providers = await providersKnown
  signal?.throwIfAborted()
  return { url: serving.url, databaseUrl, opencode: opencode?.server ?? null, providers, sandbox }
}

/** A server that runs elsewhere has keys of its own, so no gateway is needed for it. */
const startGateway = async (config: Config, logger: Logger): Promise<StartedGateway | undefined> => {
  if (!config.opencode.serverEnabled) return undefined
  return await startModelGateway({
    config,
    host: '127.0.0.1',
    loginsFile: path.join(new Layout(config).opencode, 'share', 'opencode', 'auth.json'),
    logger,
  })
}

const openRecords = async (options: EmbeddedOptions, logger: Logger, shutdown: Shutdown) => {
  const { config, signal, onFatal } = options
  // A running task may use two connections: one for the lock of its repository, one to write.
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
      // Closing the pool does not wait for its sockets; when the database stops right after, the last ones fail.
      if (!isClosing) logger.warn({ err: error.message }, 'database connection failed')
    },
  })
  shutdown.add('records', 5_000, () => {
    isClosing = true
    return records.close()
  })
  return { databaseUrl, records }
}
