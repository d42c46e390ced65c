// The entry point of the worker as its own process, in the stack.

import type { Config, Logger } from '@switchyard/config'
import { SwitchyardError } from '@switchyard/contracts'
import { connectEngine, containerUser, ServerContainers } from '@switchyard/docker'
import { OpenCodeServer, remoteServer } from '@switchyard/opencode'
import { type RunContext, runMain } from '@switchyard/process'
import { createBus, TaskQueue } from '@switchyard/queue'
import { Records } from '@switchyard/records'
import { Layout } from '@switchyard/workspace'
import { serveHealth } from './reports/health-endpoint.ts'
import { containerServerFactory } from './servers/container-server-factory.ts'
import { startWorker } from './worker.ts'

/** Limit of the whole shutdown, ms. Another worker recovers the tasks that were not handed over. */
const STOP_MS = 15_000

const required = (value: string | undefined, name: string): string => {
  if (value) return value
  throw new SwitchyardError(
    'configuration_invalid',
    `${name} is not set; a worker that runs as its own process needs it`,
  )
}

const connectServer = ({ opencode }: Config, logger: Logger): OpenCodeServer =>
  OpenCodeServer.start({
    launcher: remoteServer({
      url: required(opencode.url, 'OPENCODE_SERVER_URL'),
      password: opencode.password ?? '',
      memoryFile: opencode.memoryFile,
    }),
    healthCheckIntervalMs: opencode.healthCheckIntervalMs,
    maxRetries: opencode.maxRetries,
    retryDelayMs: opencode.retryDelayMs,
    outageMs: opencode.outageMs,
    logger,
  })

/**
 * In the stack, projects' own servers are containers. Without a network for them they are not
 * supported.
 */
const createServerFactory = async (config: Config, records: Records, logger: Logger) => {
  const { docker, projectServers, workspacesDir } = config
  if (projectServers.network === undefined) return null
  const containers = new ServerContainers(connectEngine(docker.host), {
    stack: await records.identity(),
    image: docker.image,
    cpus: docker.cpus,
    memoryBytes: projectServers.hardMemoryLimit,
    pids: docker.pids,
    user: containerUser(),
    environment: docker.environment,
    network: projectServers.network,
    proxy: docker.proxy,
    workspacesDir,
  })
  return containerServerFactory({ containers, root: new Layout(config).servers, logger })
}

const start = async ({ config, logger, shutdown, signal }: RunContext): Promise<void> => {
  const redisUrl = required(config.redisUrl, 'REDIS_URL')
  const records = new Records({
    connectionString: required(config.databaseUrl, 'DATABASE_URL'),
    applicationName: 'switchyard-worker',
    // Every run may hold a repository lock on one connection while it writes on another.
    max: config.worker.maxConcurrentTasks + 10,
    onConnectionError: (error) => logger.warn({ err: error.message }, 'database connection lost'),
  })
  shutdown.add('database', STOP_MS, () => records.close())
  await records.untilReady({
    onWait: (error) => logger.warn({ err: error.message }, 'waiting for the database'),
    signal,
  })
  await records.migrate()
  const queue = new TaskQueue({ redisUrl }, logger)
  shutdown.add('queue', STOP_MS, () => queue.close())
  const bus = createBus(redisUrl, logger)
  shutdown.add('bus', STOP_MS, () => bus.close())
  const server = config.opencode.serverEnabled ? connectServer(config, logger) : null
  if (server) shutdown.add('opencode', STOP_MS, () => server.close())
  const serverFactory = await createServerFactory(config, records, logger)
  const worker = await startWorker({
    config,
    records,
    connection: { redisUrl },
    queue,
    bus,
    server,
    serverFactory,
    logger,
  })
  const health = serveHealth(config.worker.port, worker, server)
  shutdown.add('health', STOP_MS, () => health.close())
  shutdown.add('worker', STOP_MS, () => worker.close())
}

await runMain('worker', { stopMs: STOP_MS, start })
