// Starts and stops a worker: everything that runs tasks, answers calls and cleans up, put together
// in one place.

import { hostname } from 'node:os'
import type { Config } from '@switchyard/config'
import { newWorkerId, type QueueName, type WorkerId } from '@switchyard/contracts'
import type { OpenCodeServer } from '@switchyard/opencode'
import { type Bus, type QueueConnection, type TaskQueue, TaskWorker } from '@switchyard/queue'
import type { Records } from '@switchyard/records'
import { startAnsweringCalls } from '@switchyard/worker-calls'
import { Layout } from '@switchyard/workspace'
import type { Logger } from 'pino'
import { callHandlers } from './calls/call-handlers.ts'
import { createRepositories } from './create-repositories.ts'
import { startDiscovery } from './discovery/discovery.ts'
import { startDockerReport } from './reports/docker-report.ts'
import { type Heartbeat, startHeartbeat } from './reports/heartbeat.ts'
import { startOpenCodeReport } from './reports/opencode-report.ts'
import { createRunner } from './run/docker/create-runner.ts'
import { TaskRuns } from './run/task-runs.ts'
import type { ServerFactory } from './servers/server-factory.ts'
import { ServerPool } from './servers/server-pool.ts'
import { startAutomaticReplies } from './sessions/automatic-replies.ts'
import { startSessionHints } from './sessions/hints.ts'
import { startContainerCleanup } from './upkeep/container-cleanup.ts'
import { startRetention } from './upkeep/retention.ts'
import { startSweeper } from './upkeep/sweeper.ts'

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
  /** The shared OpenCode server; null if tasks run in containers only. */
  readonly server: OpenCodeServer | null
  /** Creates projects' own servers; null if this installation cannot. */
  readonly serverFactory: ServerFactory | null
  readonly logger: Logger
}

export type Worker = {
  readonly id: WorkerId
  /** Returns the number of tasks that run now. */
  readonly running: () => number
  readonly heartbeat: Pick<Heartbeat, 'lastReport'>
  /** Returns whether the worker has reported that it can run tasks. */
  readonly wasReady: () => boolean
  /**
   * Stops claiming tasks and releases the running ones. Their sessions continue, and other workers
   * claim them.
   */
  readonly close: () => Promise<void>
}

const SERVING: ReadonlySet<string> = new Set(['up', 'busy'])

export const startWorker = async (deps: WorkerDeps): Promise<Worker> => {
  const { config, records, bus, queue, server, logger } = deps
  const workerId = newWorkerId()
  const concurrency = config.worker.maxConcurrentTasks
  const { pool } = config.worker
  const layout = new Layout(config)
  const git = createRepositories(config, records, layout)
  const { repositories } = git
  const runner = await createRunner({ config, records, workerId, logger })
  const containerCleanup = startContainerCleanup({ records, runner, logger })
  const servers = new ServerPool({
    workerId,
    records,
    shared: server,
    factory: deps.serverFactory,
    limits: config.projectServers,
    timings: config.opencode,
    onServer: (one) => {
      const listeners = [startSessionHints(one, bus), startAutomaticReplies(one, logger)]
      return () => {
        for (const listener of listeners) listener.stop()
      }
    },
    logger,
  })
  const runs = new TaskRuns({
    records,
    queue,
    bus,
    servers,
    runner,
    repositories,
    layout,
    workerId,
    limits: config.limits,
    concurrency,
    onForeignControl: containerCleanup.checkTask,
    diskBytes: config.docker.diskBytes,
    defaultModel: config.tasks.defaultModel,
    requestTimeoutMs: config.tasks.requestTimeoutMs,
    stuckMs: config.tasks.stuckMs,
    logger,
  })

  const docker = startDockerReport(records, runner, { isOnly: server === null, logger })
  // While the server is down the worker continues, and new tasks go to workers that can run them
  // now.
  const servedQueues = (): readonly QueueName[] => [
    ...(server && SERVING.has(server.state().status) ? [pool] : []),
    ...(docker.isUp() ? ['docker' as const] : []),
  ]
  const heartbeat = await startHeartbeat(
    records,
    {
      id: workerId,
      hostname: hostname(),
      concurrency,
      queueNames: servedQueues,
      startsServers: () => servers.canStart(),
    },
    logger,
  )
  const reports = [
    ...(server ? [startOpenCodeReport(records, server, { directory: layout.workspaces, pool }, logger)] : []),
    docker,
  ]

  const unsubscribe = await bus.onCommand((command) => runs.command(command))
  const sweeper = startSweeper({ records, queue, bus, workerId, isRunning: (task) => runs.has(task), logger })
  const retention = startRetention({ records, servers, repositories, layout, retention: config.retention, logger })
  const projectDeps = { records, servers, layout, logger, ...git }
  const calls = await startAnsweringCalls({
    records,
    bus,
    workerId,
    targets: server ? ['any', pool] : ['any'],
    handlers: callHandlers({ ...projectDeps, defaultModel: config.tasks.defaultModel }),
    logger,
  })
  const discovery = startDiscovery(projectDeps)

  const queueNames: readonly QueueName[] = [...(server ? [pool] : []), 'docker']
  const consumers = queueNames.map(
    (queueName) =>
      new TaskWorker({
        connection: deps.connection,
        queueName,
        concurrency,
        process: (job) => runs.process(job, queueName),
        logger,
      }),
  )
  await Promise.all(consumers.map((consumer) => consumer.start()))
  logger.info({ worker_id: workerId, concurrency, queues: queueNames, server: server?.id ?? 'docker' }, 'worker ready')

  return {
    id: workerId,
    running: () => runs.count,
    heartbeat,
    wasReady: () => reports.some((report) => report.wasUp()),
    close: async () => {
      runs.handOver()
      await Promise.all(consumers.map((consumer) => consumer.close()))
      await calls.stop()
      await sweeper.stop()
      await retention.stop()
      await containerCleanup.stop()
      for (const report of reports) await report.stop()
      await discovery.stop()
      await servers.close()
      unsubscribe()
      await runner
        .close()
        .catch((error: Error) =>
          logger.warn({ err: error.message }, "failed to remove the worker's network namespaces and network"),
        )
      await heartbeat.stop()
      logger.info({ worker_id: workerId }, 'worker stopped')
    },
  }
}
