// The queue of tasks to run, from the side that fills it. It only dispatches: a lost job is made again from its row.

import { type Mode, type Pool, QUEUE_NAMES, type QueueName, queueNameOf, type TaskId } from '@switchyard/contracts'
import type { Queue } from 'bullmq'
import type { Logger } from 'pino'
import { backendOf, type JobData, type QueueConnection } from './backend.ts'
import { bounded } from './bounded.ts'

/** Returns the name of the BullMQ queue. Each pool and mode has its own, so a worker only receives jobs that it can run. */
export const bullmqNameOf = (queueName: QueueName): string => (queueName === 'blue' ? 'tasks' : `tasks-${queueName}`)

/** What the queue has to know of a task that is ready to run. */
export type RunnableTask = {
  readonly id: TaskId
  readonly priority: number
  readonly generation: number
  readonly mode: Mode
  readonly pool: Pool | null
}

/**
 * The id of the job: the task's own, with the generation once it was taken before. BullMQ leaves out a job whose id is
 * there already, and a task's first job may still be running another task: it must not keep this one from its next run.
 */
const jobIdOf = ({ id, generation }: Pick<RunnableTask, 'id' | 'generation'>): string =>
  generation === 0 ? id : `${id}-${generation}`

/** What a job was added for; `isNew` until some worker has taken the task. */
export type QueueJob = { readonly id: TaskId; readonly isNew: boolean }

export const queueJobOf = (jobId: string | undefined): QueueJob => {
  const [id = '', generation] = (jobId ?? '').split('-')
  return { id: id as TaskId, isNew: generation === undefined }
}

// BullMQ takes 0 for "none", which runs before all others: every job gets a real one.
const jobOptions = (task: RunnableTask) => ({ jobId: jobIdOf(task), priority: task.priority + 1 })

export class TaskQueue {
  readonly #connection: QueueConnection
  readonly #logger: Logger
  /** Opened when they are first needed: most installations use one queue. */
  readonly #queues = new Map<QueueName, Queue<JobData>>()

  constructor(connection: QueueConnection, logger: Logger) {
    this.#connection = connection
    this.#logger = logger
  }

  #of(queueName: QueueName): Queue<JobData> {
    const known = this.#queues.get(queueName)
    if (known) return known
    const queue = backendOf(this.#connection).queue(bullmqNameOf(queueName), {
      defaultJobOptions: { removeOnComplete: true, removeOnFail: true },
    })
    queue.on('error', (error) => this.#logger.warn({ err: error.message }, 'the queue lost its connection'))
    this.#queues.set(queueName, queue)
    return queue
  }

  /** Resolves when the backend stands (the PostgreSQL one makes its tables first). */
  async ready(): Promise<void> {
    await this.#of('blue').waitUntilReady()
  }

  /**
   * Puts a task that is ready into its queue; where its job is there already, nothing changes.
   *
   * @throws SwitchyardError `queue_unavailable`
   */
  async add(task: RunnableTask): Promise<void> {
    await bounded(this.#of(queueNameOf(task)).add('run', {}, jobOptions(task)), 'adding a job')
  }

  /** As `add`, for many at once. */
  async addAll(tasks: readonly RunnableTask[]): Promise<void> {
    for (const [queueName, ready] of Map.groupBy(tasks, queueNameOf)) {
      const jobs = ready.map((task) => ({ name: 'run', data: {}, opts: jobOptions(task) }))
      await bounded(this.#of(queueName).addBulk(jobs), 'adding jobs')
    }
  }

  /** How many jobs wait and how many run, in all queues. @throws SwitchyardError `queue_unavailable` */
  async depth(): Promise<{ readonly waiting: number; readonly active: number }> {
    const counts = await bounded(
      Promise.all(
        QUEUE_NAMES.map((queueName) => this.#of(queueName).getJobCounts('waiting', 'prioritized', 'delayed', 'active')),
      ),
      'counting jobs',
    )
    const sum = (...states: readonly string[]): number =>
      counts.flatMap((count) => states.map((state) => count[state] ?? 0)).reduce((total, count) => total + count, 0)
    return { waiting: sum('waiting', 'prioritized', 'delayed'), active: sum('active') }
  }

  /** Milliseconds of a round trip. @throws SwitchyardError `queue_unavailable` */
  async ping(): Promise<number> {
    const began = performance.now()
    await bounded(this.#of('blue').getJobCountByTypes('active'), 'asking the queue')
    return performance.now() - began
  }

  async close(): Promise<void> {
    await Promise.all([...this.#queues.values()].map((queue) => queue.close()))
  }
}
