// The worker: takes tasks from the queue, runs them on an OpenCode server, keeps their records.

import { hostname } from 'node:os'
import type { Config } from '@switchyard/config'
import { newWorkerId, type QueueName, type WorkerId } from '@switchyard/contracts'
import { connectEngine, containerUser, publicAddresses, Runner, withConfigFile } from '@switchyard/docker'
import { DeployKeys, Repositories, RepositoryAccess } from '@switchyard/git'
import type { OpenCodeServer } from '@switchyard/opencode'
import { type Bus, type QueueConnection, type TaskQueue, TaskWorker } from '@switchyard/queue'
import { liveWorkers, type Records } from '@switchyard/records'
import { startAnsweringCalls } from '@switchyard/worker-calls'
import { Layout } from '@switchyard/workspace'
import type { Logger } from 'pino'
import { callHandlers } from './calls/call-handlers.ts'
import { startDiscovery } from './discovery/discovery.ts'
import { startDockerReport } from './reports/docker-report.ts'
import { type Heartbeat, startHeartbeat } from './reports/heartbeat.ts'
import { startServerReport } from './reports/opencode-report.ts'
import { Runs } from './run/task-runs.ts'
import type { ServerFactory } from './servers/server-factory.ts'
import { ServerPool } from './servers/server-pool.ts'
import { startSessionHints } from './sessions/hints.ts'
import { startStandingReplies } from './sessions/standing-replies.ts'
import { startContainerCare } from './upkeep/container-cleanup.ts'
import { startClearing } from './upkeep/retention.ts'
import { startSweeper } from './upkeep/sweeper.ts'

/** Each costs a small process of the engine's; a burst beyond them has to wait for the engine a little longer. */
const MAX_NAMESPACES = 16

const IS_SERVING: ReadonlySet<string> = new Set(['up', 'busy'])

export type WorkerDeps = {
  readonly config: Pick<
    Config,
    | 'home'
    | 'workspacesDir'
    | 'worker'
    | 'git'
    | 'tasks'
    | 'limits'
    | 'retention'
    | 'opencode'
    | 'projectServers'
    | 'docker'
  >
  readonly records: Records
  readonly connection: QueueConnection
  readonly queue: TaskQueue
  readonly bus: Bus
  /** Null where tasks run in containers alone. */
  readonly server: OpenCodeServer | null
  /** Makes servers that projects have for themselves; null where there can be none. */
  readonly serverFactory: ServerFactory | null
  readonly logger: Logger
}

export type Worker = {
  readonly id: WorkerId
  /** Runs at this moment. */
  readonly running: () => number
  readonly heartbeat: Pick<Heartbeat, 'lastReport'>
  /** Whether it has had something to run tasks on, and has said so. */
  readonly wasReady: () => boolean
  /** Takes no more tasks and leaves the running ones, sessions and all, to the next worker. */
  readonly close: () => Promise<void>
}

const makeRunner = async ({ config, records, logger }: WorkerDeps, workerId: WorkerId): Promise<Runner> => {
  const { docker, opencode } = config
  const environment = await withConfigFile(docker.environment, opencode.inherited.OPENCODE_CONFIG).catch((error) => {
    // Where tasks run on a server it is the server that has to read it.
    if (!opencode.serverEnabled) throw error
    logger.warn({ err: error }, 'containers run without OpenCode’s configuration')
    return docker.environment
  })
  return new Runner({
    engine: connectEngine(docker.host),
    settings: {
      stack: await records.identity(),
      image: docker.image,
      cpus: docker.cpus,
      memoryBytes: docker.memoryBytes,
      pids: docker.pids,
      user: containerUser(),
      environment,
    },
    ...(docker.network !== undefined && docker.proxy !== undefined
      ? { runnerNetwork: { network: docker.network, proxy: docker.proxy } }
      : {}),
    egress: {
      image: docker.egressImage,
      allow: docker.egressAllow,
      deny: [...docker.egressDeny, ...publicAddresses(docker.host)],
    },
    exclusively: (work) => records.withLock('runner-way', work),
    workerId,
    liveWorkers: () => liveWorkers(records.db),
    namespaces: Math.min(config.worker.maxConcurrentTasks, MAX_NAMESPACES),
    logger,
  })
}

export const startWorker = async (deps: WorkerDeps): Promise<Worker> => {
  const { config, records, bus, queue, server, logger } = deps
  const id = newWorkerId()
  const concurrency = config.worker.maxConcurrentTasks
  const queueNames: readonly QueueName[] = [...(server ? [config.worker.pool] : []), 'docker']
  const lock = <T>(key: string, work: () => Promise<T>) => records.withLock(`repository:${key}`, work)
  const layout = new Layout(config)
  const keys = new DeployKeys({ directory: layout.keys, lock })
  const access = new RepositoryAccess({
    keys,
    knownHosts: layout.knownHosts,
    trustNewHosts: config.git.trustNewHosts,
    tokens: config.git.httpsTokens,
    environment: {
      ...config.opencode.inherited,
      ...(config.git.caFile === undefined ? {} : { GIT_SSL_CAINFO: config.git.caFile }),
    },
  })
  const repositories = new Repositories({
    mirrorsDir: layout.mirrors,
    sharedDir: layout.sharedClones,
    workspacesDir: layout.workspaces,
    lock,
    connect: access.connect,
  })
  const runner = await makeRunner(deps, id)
  const care = startContainerCare({ records, runner, logger })
  const servers = new ServerPool({
    workerId: id,
    records,
    shared: server,
    factory: deps.serverFactory,
    limits: config.projectServers,
    timings: config.opencode,
    onServer: (one) => {
      const listeners = [startSessionHints(one, bus), startStandingReplies(one, logger)]
      return () => {
        for (const listener of listeners) listener.stop()
      }
    },
    logger,
  })
  const runs = new Runs(
    {
      records,
      queue,
      bus,
      servers,
      runner,
      onOther: care.look,
      repositories,
      layout,
      diskBytes: config.docker.diskBytes,
      defaultModel: config.tasks.defaultModel,
      requestTimeoutMs: config.tasks.requestTimeoutMs,
      stuckMs: config.tasks.stuckMs,
      logger,
    },
    id,
    config.limits,
    concurrency,
  )
  const docker = startDockerReport(records, runner, { isOnly: server === null, logger })
  // While its server is down the worker goes on, and new tasks go where they can be run at once.
  const served = (): readonly QueueName[] => [
    ...(server && IS_SERVING.has(server.state().status) ? [config.worker.pool] : []),
    ...(docker.isUp() ? ['docker' as const] : []),
  ]
  const heartbeat = await startHeartbeat(records, { id, hostname: hostname(), concurrency, queueNames: served }, logger)
  const reports = [
    ...(server
      ? [startServerReport(records, server, { directory: layout.workspaces, pool: config.worker.pool }, logger)]
      : []),
    docker,
  ]
  const offCommands = await bus.onCommand((command) => runs.command(command))
  const sweeper = startSweeper({ records, queue, bus, workerId: id, isRunning: (task) => runs.has(task), logger })
  const clearing = startClearing({
    records,
    servers,
    repositories,
    layout,
    retention: config.retention,
    logger,
  })
  const projects = {
    records,
    repositories,
    keys,
    access,
    servers,
    layout,
    logger,
  }
  const calls = await startAnsweringCalls({
    records,
    bus,
    workerId: id,
    targets: server ? ['any', config.worker.pool] : ['any'],
    handlers: callHandlers({ ...projects, defaultModel: config.tasks.defaultModel }),
    logger,
  })
  const discovery = startDiscovery(projects)
  const workers = queueNames.map(
    (queueName) =>
      new TaskWorker({
        connection: deps.connection,
        queueName,
        concurrency,
        process: (job) => runs.process(job, queueName),
        logger,
      }),
  )
  await Promise.all(workers.map((worker) => worker.start()))
  logger.info({ worker_id: id, concurrency, queues: queueNames, server: server?.id ?? 'docker' }, 'worker ready')
  return {
    id,
    running: () => runs.count,
    heartbeat,
    wasReady: () => reports.some((report) => report.wasUp()),
    close: async () => {
      runs.handOver()
      await Promise.all(workers.map((worker) => worker.close()))
      await calls.stop()
      await sweeper.stop()
      await clearing.stop()
      await care.stop()
      for (const report of reports) await report.stop()
      await discovery.stop()
      await servers.close()
      offCommands()
      await runner
        .close()
        .catch((error: Error) =>
          logger.warn(
            { err: error.message },
            'what was made for containers ahead, and their network, were not cleared away',
          ),
        )
      await heartbeat.stop()
      logger.info({ worker_id: id }, 'worker stopped')
    },
  }
}
