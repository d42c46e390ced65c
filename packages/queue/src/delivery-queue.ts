// The queue of deliveries: a job is a permit to send what is due in one lane, the rows say what that is.

import type { Queue, Worker } from 'bullmq'
import type { Logger } from 'pino'
import { backendOf, type JobData, type QueueConnection } from './backend.ts'
import { bounded } from './bounded.ts'
import { LOCK } from './lock.ts'

const QUEUE_NAME = 'deliveries'

/** BullMQ takes no colon in an id; it leaves out a job whose id is there, so a lane has one job at a time. */
const toJobId = (lane: string): string => `lane-${Buffer.from(lane).toString('base64url')}`
const toLane = (jobId: string | undefined): string =>
  Buffer.from((jobId ?? '').slice('lane-'.length), 'base64url').toString('utf8')

export class DeliveryQueue {
  readonly #queue: Queue<JobData>

  constructor(connection: QueueConnection, logger: Logger) {
    this.#queue = backendOf(connection).queue(QUEUE_NAME, {
      defaultJobOptions: { removeOnComplete: true, removeOnFail: true },
    })
    this.#queue.on('error', (error) => logger.warn({ err: error.message }, 'the delivery queue lost its connection'))
  }

  async ready(): Promise<void> {
    await this.#queue.waitUntilReady()
  }

  /** Has these lanes looked at; one whose job is there already is left out. @throws SwitchyardError `queue_unavailable` */
  async addAll(lanes: readonly string[]): Promise<void> {
    const jobs = lanes.map((lane) => ({ name: 'lane', data: {}, opts: { jobId: toJobId(lane) } }))
    await bounded(this.#queue.addBulk(jobs), 'adding jobs')
  }

  async close(): Promise<void> {
    await this.#queue.close()
  }
}

export type DeliveryWorkerOptions = {
  readonly connection: QueueConnection
  /** Lanes at once. */
  readonly concurrency: number
  /** Sends what is due in the lane. */
  readonly drain: (lane: string) => Promise<void>
  readonly logger: Logger
}

export class DeliveryWorker {
  readonly #worker: Worker<JobData>
  readonly #logger: Logger

  constructor({ connection, concurrency, drain, logger }: DeliveryWorkerOptions) {
    this.#logger = logger
    this.#worker = backendOf(connection).worker(QUEUE_NAME, async (job) => await drain(toLane(job.id)), {
      autorun: false,
      concurrency,
      ...LOCK,
      // Whether something is sent again is decided by its row, not by how often a job stalled.
      maxStalledCount: 1_000_000,
      removeOnComplete: { count: 0 },
      removeOnFail: { count: 0 },
    })
    this.#worker.on('error', (error) => logger.warn({ err: error.message }, 'the delivery queue reports an error'))
    this.#worker.on('failed', (job, error) => logger.error({ lane: toLane(job?.id), err: error }, 'a lane failed'))
  }

  async start(): Promise<void> {
    await this.#worker.waitUntilReady()
    this.#worker.run().catch((error) => this.#logger.error({ err: error }, 'the delivery worker ended'))
  }

  /** Waits for the lanes that are being drained, then closes. */
  async close(): Promise<void> {
    await this.#worker.close()
  }
}
