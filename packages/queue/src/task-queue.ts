// The queue of tasks to run, from the side that fills it. It only dispatches: a lost job is made again from its row.

import { randomBytes } from 'node:crypto'
import { SwitchyardError, type TaskId } from '@switchyard/contracts'
import type { Queue } from 'bullmq'
import type { Logger } from 'pino'
import { backendOf, type JobData, type QueueConnection } from './backend.ts'

export const QUEUE_NAME = 'tasks'

/** A call of the queue that takes longer than this has failed for its caller, ms. */
const CALL_TIMEOUT_MS = 2_000

// BullMQ leaves out a job whose id is there already. A job that was added for one task may be running another, for as
// long as that one takes, so an id that is the task's alone would keep the task from being offered again meanwhile.
const turnId = (id: TaskId): string => `${id}.${randomBytes(6).toString('hex')}`
const abandonedId = (id: TaskId, generation: number): string => `${id}-${generation}`

/** What a job is for: the task whose turn it is, or just this one, whose owner is gone. */
export type Offer = { readonly kind: 'next' } | { readonly kind: 'abandoned'; readonly id: TaskId }

export const offerOf = (jobId: string | undefined): Offer => {
  const abandoned = /^(task_[^.-]+)-\d+$/.exec(jobId ?? '')?.[1]
  return abandoned === undefined ? { kind: 'next' } : { kind: 'abandoned', id: abandoned as TaskId }
}

// BullMQ takes 0 for "none", which runs before all others: every job gets a real one.
const jobOptions = (jobId: string, priority: number) => ({ jobId, priority: priority + 1 })

const bounded = async <T>(call: Promise<T>, what: string): Promise<T> => {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${CALL_TIMEOUT_MS} ms`)), CALL_TIMEOUT_MS)
  })
  try {
    return await Promise.race([call, late])
  } catch (error) {
    throw new SwitchyardError(
      'queue_unavailable',
      `${what} failed: ${error instanceof Error ? error.message : error}`,
      {
        cause: error,
      },
    )
  } finally {
    clearTimeout(timer)
    call.catch(() => {})
  }
}

export class TaskQueue {
  readonly #queue: Queue<JobData>

  constructor(connection: QueueConnection, logger: Logger) {
    this.#queue = backendOf(connection).queue(QUEUE_NAME, {
      defaultJobOptions: { removeOnComplete: true, removeOnFail: true },
    })
    this.#queue.on('error', (error) => logger.warn({ err: error.message }, 'the queue lost its connection'))
  }

  /** Resolves when the backend stands (the PostgreSQL one makes its tables first). */
  async ready(): Promise<void> {
    await this.#queue.waitUntilReady()
  }

  /**
   * Puts one more turn into the queue, for a task that became ready.
   *
   * @param priority - 0 (first) to 10 (last).
   * @throws SwitchyardError `queue_unavailable`
   */
  async add(id: TaskId, priority: number): Promise<void> {
    await bounded(this.#queue.add('run', {}, jobOptions(turnId(id), priority)), 'adding a job')
  }

  /** As `add`, for many at once. */
  async addAll(tasks: readonly { readonly id: TaskId; readonly priority: number }[]): Promise<void> {
    await this.#addBulk(tasks.map((task) => jobOptions(turnId(task.id), task.priority)))
  }

  /** Offers tasks whose owner is gone, each once for each generation however often it is offered. */
  async addAbandoned(
    tasks: readonly { readonly id: TaskId; readonly priority: number; readonly generation: number }[],
  ): Promise<void> {
    await this.#addBulk(tasks.map((task) => jobOptions(abandonedId(task.id, task.generation), task.priority)))
  }

  async #addBulk(jobs: readonly ReturnType<typeof jobOptions>[]): Promise<void> {
    await bounded(this.#queue.addBulk(jobs.map((opts) => ({ name: 'run', data: {}, opts }))), 'adding jobs')
  }

  /** How many jobs wait and how many run. @throws SwitchyardError `queue_unavailable` */
  async depth(): Promise<{ readonly waiting: number; readonly active: number }> {
    const counts = await bounded(
      this.#queue.getJobCounts('waiting', 'prioritized', 'delayed', 'active'),
      'counting jobs',
    )
    return {
      waiting: (counts.waiting ?? 0) + (counts.prioritized ?? 0) + (counts.delayed ?? 0),
      active: counts.active ?? 0,
    }
  }

  /** Milliseconds of a round trip. @throws SwitchyardError `queue_unavailable` */
  async ping(): Promise<number> {
    const began = performance.now()
    await bounded(this.#queue.getJobCountByTypes('active'), 'asking the queue')
    return performance.now() - began
  }

  async close(): Promise<void> {
    await this.#queue.close()
  }
}
