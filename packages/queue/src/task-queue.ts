// Adds tasks to the BullMQ queues. A queue only dispatches: the sweeper adds a lost job again from the task's row.

import { type Mode, type Pool, QUEUE_NAMES, type QueueName, queueNameOf, type TaskId } from '@switchyard/contracts'
import type { Queue } from 'bullmq'
import type { Logger } from 'pino'
import { backendOf, type JobData, type QueueConnection } from './backend.ts'
import { withTimeout } from './with-timeout.ts'

/** Returns the name of the BullMQ queue. Each pool and mode has its own, so a worker only receives jobs that it can run. */
export const bullmqNameOf = (queueName: QueueName): string => (queueName === 'blue' ? 'tasks' : `tasks-${queueName}`)

/** The columns of a task's row that decide where its job goes. */
export type RunnableTask = {
  readonly id: TaskId
  /** 0 runs first. */
  readonly priority: number
  readonly generation: number
  readonly mode: Mode
  readonly pool: Pool | null
}

/**
 * Returns the task's id, followed by the generation once a worker has taken the task. BullMQ ignores a job whose id
 * exists, and the task's first job may still be running another task; the generation lets the next run have a job anyway.
 */
const jobIdOf = ({ id, generation }: Pick<RunnableTask, 'id' | 'generation'>): string =>
  generation === 0 ? id : `${id}-${generation}`

/** The task that a job was added for; `isNew` until a worker takes the task. */
export type QueueJob = { readonly id: TaskId; readonly isNew: boolean }

export const queueJobOf = (jobId: string | undefined): QueueJob => {
  const [id = '', generation] = (jobId ?? '').split('-')
  return { id: id as TaskId, isNew: generation === undefined }
}

// BullMQ treats priority 0 as "no priority" and runs such jobs before all others, so every job gets at least 1.
const jobOptions = (task: RunnableTask) => ({ jobId: jobIdOf(task), priority: task.priority + 1 })

export class TaskQueue {
  readonly #connection: QueueConnection
  readonly #logger: Logger
  /** Opened on first use: most installations use one queue. */
  readonly #queues = new Map<QueueName, Queue<JobData>>()

  constructor(connection: QueueConnection, logger: Logger) {
    this.#connection = connection
    this.#logger = logger
  }

  #open(queueName: QueueName): Queue<JobData> {
    const opened = this.#queues.get(queueName)
    if (opened) return opened
    const queue = backendOf(this.#connection).queue(bullmqNameOf(queueName), {
      defaultJobOptions: { removeOnComplete: true, removeOnFail: true },
    })
    queue.on('error', (error) => this.#logger.warn({ err: error.message }, 'task queue connection error'))
    this.#queues.set(queueName, queue)
    return queue
  }

  /** Resolves when the backend accepts calls; the PostgreSQL backend creates its tables first. */
  async ready(): Promise<void> {
    await this.#open('blue').waitUntilReady()
  }

  /**
   * Adds a job for the task, unless there is one.
   *
   * @throws SwitchyardError `queue_unavailable`
   */
  async add(task: RunnableTask): Promise<void> {
    await withTimeout(this.#open(queueNameOf(task)).add('run', {}, jobOptions(task)), 'adding a job')
  }

  /**
   * Adds a job for each task that has none.
   *
   * @throws SwitchyardError `queue_unavailable`
   */
  async addAll(tasks: readonly RunnableTask[]): Promise<void> {
    for (const [queueName, group] of Map.groupBy(tasks, queueNameOf)) {
      const jobs = group.map((task) => ({ name: 'run', data: {}, opts: jobOptions(task) }))
      await withTimeout(this.#open(queueName).addBulk(jobs), 'adding jobs')
    }
  }

  /**
   * Returns how many jobs wait and how many run, in all queues together.
   *
   * @throws SwitchyardError `queue_unavailable`
   */
  async depth(): Promise<{ readonly waiting: number; readonly active: number }> {
    const counts = await withTimeout(
      Promise.all(
        QUEUE_NAMES.map((queueName) =>
          this.#open(queueName).getJobCounts('waiting', 'prioritized', 'delayed', 'active'),
        ),
      ),
      'counting jobs',
    )
    const sum = (...states: readonly string[]): number =>
      counts.flatMap((count) => states.map((state) => count[state] ?? 0)).reduce((total, count) => total + count, 0)
    return { waiting: sum('waiting', 'prioritized', 'delayed'), active: sum('active') }
  }

  /** Returns the round-trip time in milliseconds. @throws SwitchyardError `queue_unavailable` */
  async ping(): Promise<number> {
    const startedAt = performance.now()
    await withTimeout(this.#open('blue').getJobCountByTypes('active'), 'queue ping')
    return performance.now() - startedAt
  }

  async close(): Promise<void> {
    await Promise.all([...this.#queues.values()].map((queue) => queue.close()))
  }
}
