// The queue of tasks to run, from the side that fills it. It only dispatches: a lost job is made again from its row.

import type { TaskId } from '@switchyard/contracts'
import type { Queue } from 'bullmq'
import type { Logger } from 'pino'
import { backendOf, type JobData, type QueueConnection } from './backend.ts'
import { bounded } from './bounded.ts'

export const QUEUE_NAME = 'tasks'

/** What the queue has to know of a task that is ready to run. */
export type Ready = { readonly id: TaskId; readonly priority: number; readonly generation: number }

/**
 * The id of the job: the task's own, with the generation once it was taken before. BullMQ leaves out a job whose id is
 * there already, and a task's first job may still be running another task: it must not keep this one from its next run.
 */
const jobIdOf = ({ id, generation }: Ready): string => (generation === 0 ? id : `${id}-${generation}`)

/** What a job was added for; `isNew` until some worker has taken the task. */
export type Offer = { readonly id: TaskId; readonly isNew: boolean }

export const offerOf = (jobId: string | undefined): Offer => {
  const [id = '', generation] = (jobId ?? '').split('-')
  return { id: id as TaskId, isNew: generation === undefined }
}

// BullMQ takes 0 for "none", which runs before all others: every job gets a real one.
const jobOptions = (task: Ready) => ({ jobId: jobIdOf(task), priority: task.priority + 1 })

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
   * Puts a task that is ready into the queue; where its job is there already, nothing changes.
   *
   * @throws SwitchyardError `queue_unavailable`
   */
  async add(task: Ready): Promise<void> {
    await bounded(this.#queue.add('run', {}, jobOptions(task)), 'adding a job')
  }

  /** As `add`, for many at once. */
  async addAll(tasks: readonly Ready[]): Promise<void> {
    const jobs = tasks.map((task) => ({ name: 'run', data: {}, opts: jobOptions(task) }))
    await bounded(this.#queue.addBulk(jobs), 'adding jobs')
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
