// Processes the jobs of one task queue, with BullMQ's job lock, its renewal, and the recovery of stalled jobs.

import type { QueueName } from '@switchyard/contracts'
import { DelayedError, type Worker } from 'bullmq'
import type { Logger } from 'pino'
import { backendOf, type JobData, type QueueConnection } from './backend.ts'
import { JOB_LOCK } from './job-lock.ts'
import { bullmqNameOf, type QueueJob, queueJobOf } from './task-queue.ts'

/** What happens to the job next: null removes it, a number runs it again after so many milliseconds. */
export type Processed = { readonly againInMs: number | null }

export type ProcessTask = (job: QueueJob) => Promise<Processed>

export type TaskWorkerOptions = {
  readonly connection: QueueConnection
  readonly queueName: QueueName
  /** How many jobs are processed at once. */
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
        ...JOB_LOCK,
        // The database decides whether a task may run again, not the number of times its job stalled.
        maxStalledCount: 1_000_000,
        removeOnComplete: { count: 0 },
        removeOnFail: { count: 0 },
      },
    )
    this.#worker.on('error', (error) => this.#logger.warn({ err: error.message }, 'task queue error'))
    // A run goes on when its job lock is lost while the queue is unreachable: the lock only dispatches, and the task's row
    // says who owns the task. A second worker that receives the job finds the row owned.
    this.#worker.on('lockRenewalFailed', (jobIds) =>
      this.#logger.warn({ task_ids: jobIds }, 'failed to renew job locks; the runs continue'),
    )
    this.#worker.on('failed', (job, error) =>
      this.#logger.error({ task_id: job?.id, err: error }, 'task queue job failed'),
    )
  }

  /** Starts to process jobs. Resolves when the backend accepts calls. */
  async start(): Promise<void> {
    await this.#worker.waitUntilReady()
    this.#worker.run().catch((error) => this.#logger.error({ err: error }, 'task worker stopped unexpectedly'))
  }

  /** Stops fetching jobs; jobs that are being processed continue. */
  async pause(): Promise<void> {
    await this.#worker.pause(true)
  }

  resume(): void {
    this.#worker.resume()
  }

  /** Waits for the jobs that are being processed, then closes. */
  async close(): Promise<void> {
    await this.#worker.close()
  }
}
