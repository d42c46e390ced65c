// The queue of tasks to run, from the side that empties it: BullMQ's lock, its renewal, and stalled jobs.

import type { QueueName } from '@switchyard/contracts'
import { DelayedError, type Worker } from 'bullmq'
import type { Logger } from 'pino'
import { backendOf, type JobData, type QueueConnection } from './backend.ts'
import { LOCK } from './lock.ts'
import { bullmqNameOf, type QueueJob, queueJobOf } from './task-queue.ts'

/** What became of a job: over, or to be offered again after `againInMs`. */
export type Processed = { readonly againInMs: number | null }

export type ProcessTask = (job: QueueJob) => Promise<Processed>

export type TaskWorkerOptions = {
  readonly connection: QueueConnection
  readonly queueName: QueueName
  /** Tasks at once. */
  readonly concurrency: number
  readonly process: ProcessTask
  readonly logger: Logger
}

export class TaskWorker {
  readonly #worker: Worker<JobData>
  readonly #logger: Logger

  constructor(options: TaskWorkerOptions) {
    this.#logger = options.logger
    this.#worker = backendOf(options.connection).worker(
      bullmqNameOf(options.queueName),
      async (job, token) => {
        const { againInMs } = await options.process(queueJobOf(job.id))
        if (againInMs === null) return
        await job.moveToDelayed(Date.now() + againInMs, token)
        throw new DelayedError()
      },
      {
        autorun: false,
        concurrency: options.concurrency,
        ...LOCK,
        // Whether a task may run again is decided by its record, not by how often its job stalled.
        maxStalledCount: 1_000_000,
        removeOnComplete: { count: 0 },
        removeOnFail: { count: 0 },
      },
    )
    this.#worker.on('error', (error) => this.#logger.warn({ err: error.message }, 'the queue reports an error'))
    // The lock only dispatches; a task's owner is in its row. A run whose lock was lost while the queue was away
    // goes on, and a job that comes twice finds the row taken.
    this.#worker.on('lockRenewalFailed', (jobIds) => this.#logger.warn({ task_ids: jobIds }, 'locks were lost'))
    this.#worker.on('failed', (job, error) => this.#logger.error({ task_id: job?.id, err: error }, 'a job failed'))
  }

  async start(): Promise<void> {
    await this.#worker.waitUntilReady()
    this.#worker.run().catch((error) => this.#logger.error({ err: error }, 'the queue worker ended'))
  }

  /** Takes no more jobs; those that run go on. */
  async pause(): Promise<void> {
    await this.#worker.pause(true)
  }

  resume(): void {
    this.#worker.resume()
  }

  /** Waits for the jobs that run to be let go, then closes. */
  async close(): Promise<void> {
    await this.#worker.close()
  }
}
