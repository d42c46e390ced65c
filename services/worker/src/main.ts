// The worker as a process of its own, in the stack.

import path from 'node:path'
import { type Config, createLogger, type Logger, loadConfig, warnOfWeakSecrets } from '@switchyard/config'
import { isSwitchyardError, SwitchyardError } from '@switchyard/contracts'
import { connectEngine, containerUser, ServerContainers } from '@switchyard/docker'
import { OpenCodeServer, remoteServer } from '@switchyard/opencode'
import { createBus, TaskQueue } from '@switchyard/queue'
import { Records } from '@switchyard/records'
import { serveHealth } from './health.ts'
import { containerMaker } from './servers/container-maker.ts'
import { startWorker } from './worker.ts'

/** A stop that takes longer than this is not waited for, ms: the tasks are anyone's by then. */
const STOP_MS = 15_000

const required = (value: string | undefined, name: string): string => {
  if (value) return value
  throw new SwitchyardError('configuration_invalid', `${name} is not set; a worker of its own needs it`)
}

const findServer = ({ opencode }: Config, logger: Logger): OpenCodeServer =>
  OpenCodeServer.start({
    launcher: remoteServer({
      url: required(opencode.url, 'OPENCODE_SERVER_URL'),
      password: opencode.password ?? '',
      memoryFile: opencode.memoryFile,
    }),
    healthCheckIntervalMs: opencode.healthCheckIntervalMs,
    maxRetries: opencode.maxRetries,
    retryDelayMs: opencode.retryDelayMs,
    logger,
  })

/** In the stack a project's own server is a container; without a network for it there is none. */
const makeServerMaker = async (config: Config, records: Records, logger: Logger) => {
  const { docker, home, projectServers, workspacesDir } = config
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
    workspacesDir,
  })
  return containerMaker({ containers, root: path.join(home, 'servers'), logger })
}

const main = async (): Promise<void> => {
  const config = loadConfig(undefined, 'worker')
  const logger = createLogger(config, 'worker')
  warnOfWeakSecrets(config, logger)
  const redisUrl = required(config.redisUrl, 'REDIS_URL')
  const records = new Records({
    connectionString: required(config.databaseUrl, 'DATABASE_URL'),
    applicationName: 'switchyard-worker',
    // Every run may hold a repository's lock while others write.
    max: config.worker.maxConcurrentTasks + 10,
    onConnectionError: (error) => logger.warn({ err: error.message }, 'a database connection broke'),
  })
  await records.untilReady({ onWait: (error) => logger.warn({ err: error.message }, 'waiting for the database') })
  await records.migrate()
  const server = config.opencode.serverEnabled ? findServer(config, logger) : null
  const queue = new TaskQueue({ redisUrl }, logger)
  const bus = createBus(redisUrl, logger)
  const serverMaker = await makeServerMaker(config, records, logger)
  const worker = await startWorker({
    config,
    records,
    connection: { redisUrl },
    queue,
    bus,
    server,
    serverMaker,
    logger,
  })
  const health = serveHealth(config.worker.port, worker, server)

  const stop = async (signal: string) => {
    logger.info({ signal }, 'stopping')
    setTimeout(() => process.exit(1), STOP_MS).unref()
    await worker.close()
    await health.close()
    await server?.close()
    await bus.close()
    await queue.close()
    await records.close()
    process.exit(0)
  }
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void stop(signal))
}

main().catch((error: unknown) => {
  if (isSwitchyardError(error)) process.stderr.write(`${error.code}: ${error.message}\n${error.hint}\n`)
  else process.stderr.write(`${error instanceof Error ? error.stack : error}\n`)
  process.exit(1)
})
