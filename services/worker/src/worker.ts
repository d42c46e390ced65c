// The worker: takes tasks from the queue, runs them on an OpenCode server, keeps their records.

import { hostname } from 'node:os'
import path from 'node:path'
import type { Config } from '@switchyard/config'
import { type Lane, newWorkerId, type WorkerId } from '@switchyard/contracts'
import { Repositories } from '@switchyard/git'
import type { OpenCodeServer } from '@switchyard/opencode'
import { type Bus, type QueueConnection, type TaskQueue, TaskWorker } from '@switchyard/queue'
import type { Records } from '@switchyard/records'
import type { Logger } from 'pino'
import { startClearing } from './clearing.ts'
import { type Heartbeat, startHeartbeat } from './heartbeat.ts'
import { Runs } from './runs.ts'
import { startServerReport } from './server-report.ts'
import { startSweeper } from './sweeper.ts'

const IS_SERVING: ReadonlySet<string> = new Set(['up', 'busy'])

export type WorkerDeps = {
  readonly config: Pick<Config, 'home' | 'workspacesDir' | 'worker' | 'tasks' | 'limits' | 'retention' | 'opencode'>
  readonly records: Records
  readonly connection: QueueConnection
  readonly queue: TaskQueue
  readonly bus: Bus
  readonly server: OpenCodeServer
  readonly logger: Logger
}

export type Worker = {
  readonly id: WorkerId
  /** Runs at this moment. */
  readonly running: () => number
  readonly heartbeat: Pick<Heartbeat, 'lastReport'>
  /** Whether it has had a working OpenCode server, and has said so. */
  readonly wasReady: () => boolean
  /** Takes no more tasks and leaves the running ones, sessions and all, to the next worker. */
  readonly close: () => Promise<void>
}

export const startWorker = async (deps: WorkerDeps): Promise<Worker> => {
  const { config, records, bus, queue, server, logger } = deps
  const id = newWorkerId()
  const concurrency = config.worker.maxConcurrentTasks
  const lanes: readonly Lane[] = [config.worker.pool]
  const repositories = new Repositories({
    mirrorsDir: path.join(config.home, 'mirrors'),
    sharedDir: path.join(config.workspacesDir, 'repos'),
    lock: (key, work) => records.withLock(`repository:${key}`, work),
    environment: config.opencode.inherited,
  })
  const runs = new Runs(
    {
      records,
      queue,
      bus,
      server,
      repositories,
      workspacesDir: config.workspacesDir,
      defaultModel: config.tasks.defaultModel,
      requestTimeoutMs: config.tasks.requestTimeoutMs,
      stuckMs: config.tasks.stuckMs,
      logger,
    },
    id,
    config.limits,
  )
  // While its server is down the worker goes on, and new tasks go where they can be run at once.
  const served = () => (IS_SERVING.has(server.state().status) ? lanes : [])
  const heartbeat = await startHeartbeat(records, { id, hostname: hostname(), concurrency, lanes: served }, logger)
  const report = startServerReport(records, server, config.workspacesDir, logger)
  const offCommands = await bus.onCommand((command) => runs.command(command))
  const sweeper = startSweeper({ records, queue, bus, workerId: id, isRunning: (task) => runs.has(task), logger })
  const clearing = startClearing({
    records,
    server,
    repositories,
    workspacesDir: config.workspacesDir,
    bundlesDir: path.join(config.home, 'bundles'),
    retention: config.retention,
    logger,
  })
  const workers = lanes.map(
    (lane) =>
      new TaskWorker({
        connection: deps.connection,
        lane,
        concurrency,
        process: (offer) => runs.process(offer, lane),
        logger,
      }),
  )
  await Promise.all(workers.map((worker) => worker.start()))
  logger.info({ worker_id: id, concurrency, lanes, server: server.id }, 'worker ready')
  return {
    id,
    running: () => runs.count,
    heartbeat,
    wasReady: report.wasUp,
    close: async () => {
      runs.handOver()
      await Promise.all(workers.map((worker) => worker.close()))
      await sweeper.stop()
      await clearing.stop()
      await report.stop()
      offCommands()
      await heartbeat.stop()
      logger.info({ worker_id: id }, 'worker stopped')
    },
  }
}
