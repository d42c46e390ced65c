// The queue of deliveries. A job names one destination; the database says which deliveries are due there.

import type { Queue, Worker } from 'bullmq'
import type { Logger } from 'pino'
import { backendOf, type JobData, type QueueConnection } from './backend.ts'
import { JOB_LOCK } from './job-lock.ts'
import { withTimeout } from './with-timeout.ts'

const QUEUE_NAME = 'deliveries'

/** Jobs that an older version added carry this prefix too: it stays. */
const ID_PREFIX = 'lane-'

/** BullMQ allows no colon in a job id, and ignores a job whose id exists, so a destination has one job at a time. */
const toJobId = (destination: string): string => `${ID_PREFIX}${Buffer.from(destination).toString('base64url')}`
const toDestination = (jobId: string | undefined): string =>
  Buffer.from((jobId ?? '').slice(ID_PREFIX.length), 'base64url').toString('utf8')

export class DeliveryQueue {
  readonly #queue: Queue<JobData>

  constructor(connection: QueueConnection, logger: Logger) {
    this.#queue = backendOf(connection).queue(QUEUE_NAME, {
      defaultJobOptions: { removeOnComplete: true, removeOnFail: true },
    })
    this.#queue.on('error', (error) => logger.warn({ err: error.message }, 'delivery queue connection error'))
  }

  /** Resolves when the backend accepts calls. */
  async ready(): Promise<void> {
    await this.#queue.waitUntilReady()
  }

  /**
   * Adds a job for each destination that has none.
   *
   * @throws SwitchyardError `queue_unavailable`
   */
  async addAll(destinations: readonly string[]): Promise<void> {
    const jobs = destinations.map((destination) => ({ name: 'lane', data: {}, opts: { jobId: toJobId(destination) } }))
    await withTimeout(this.#queue.addBulk(jobs), 'adding jobs')
  }

  async close(): Promise<void> {
    await this.#queue.close()
  }
}

export type DeliveryWorkerOptions = {
  readonly connection: QueueConnection
  /** How many destinations are processed at once. */
  readonly concurrency: number
  /** Sends the deliveries that are due at the destination. */
  readonly drain: (destination: string) => Promise<void>
  readonly logger: Logger
}

export class DeliveryWorker {
  readonly #worker: Worker<JobData>
  readonly #logger: Logger

  constructor({ connection, concurrency, drain, logger }: DeliveryWorkerOptions) {
    this.#logger = logger
    this.#worker = backendOf(connection).worker(QUEUE_NAME, async (job) => await drain(toDestination(job.id)), {
      autorun: false,
      concurrency,
      ...JOB_LOCK,
      // The database decides whether a delivery is sent again, not the number of times its job stalled.
      maxStalledCount: 1_000_000,
      removeOnComplete: { count: 0 },
      removeOnFail: { count: 0 },
    })
    this.#worker.on('error', (error) => logger.warn({ err: error.message }, 'delivery queue error'))
    this.#worker.on('failed', (job, error) =>
      logger.error({ destination: toDestination(job?.id), err: error }, 'delivery queue job failed'),
    )
  }

  /** Starts to process jobs. Resolves when the backend accepts calls. */
  async start(): Promise<void> {
    await this.#worker.waitUntilReady()
    this.#worker.run().catch((error) => this.#logger.error({ err: error }, 'delivery worker stopped unexpectedly'))
  }

  /** Waits for the jobs that are being processed, then closes. */
  async close(): Promise<void> {
    await this.#worker.close()
  }
}
