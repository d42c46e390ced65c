// The runs of this worker: takes a task that is offered, keeps the run while it lasts, passes commands to it.

import { isSwitchyardError, type QueueName, type TaskId, type WorkerId } from '@switchyard/contracts'
import type { Command, Processed, QueueJob, TaskQueue } from '@switchyard/queue'
import { admitTask, type Hosts, type RunLimits, type TaskRow, takeTask } from '@switchyard/records'
import type { TaskRunDeps } from './execution.ts'
import { TaskRun } from './task-run.ts'

/** When to retry the job of a task that could not be taken because the database is unavailable, ms. */
const DATABASE_AWAY_MS = 1_000
/** When to look again while all tasks that wait are over a limit, ms. */
const HELD_MS = 1_000
const OVER: Processed = { againInMs: null }

export type RunsDeps = TaskRunDeps & {
  readonly queue: TaskQueue
  /** Told of a command for a task that does not run here: its container may be without an owner. */
  readonly onOther: (id: TaskId) => void
}

export class Runs {
  readonly #deps: RunsDeps
  readonly #workerId: WorkerId
  readonly #limits: RunLimits
  readonly #concurrency: number
  readonly #active = new Map<TaskId, TaskRun>()
  /** Jobs that are being looked at or run. */
  #busy = 0
  #stopping = false

  /** @param concurrency - runs at once, of all queues together. */
  constructor(deps: RunsDeps, workerId: WorkerId, limits: RunLimits, concurrency: number) {
    this.#deps = deps
    this.#workerId = workerId
    this.#limits = limits
    this.#concurrency = concurrency
  }

  has(id: TaskId): boolean {
    return this.#active.has(id)
  }

  get count(): number {
    return this.#active.size
  }

  /**
   * A job says that a task of its queue can be run, not which: that of a task whose owner is gone runs just this one, any other
   * runs the task whose turn it is. A job for which nothing is left to run is over.
   */
  async process(job: QueueJob, queueName: QueueName): Promise<Processed> {
    if (this.#stopping) return { againInMs: 0 }
    // Each queue consumer runs at full concurrency; the worker-wide limit is enforced here.
    if (this.#busy >= this.#concurrency) return { againInMs: HELD_MS }
    this.#busy += 1
    try {
      const { records } = this.#deps
      const hosts = this.#hosts()
      const left = job.isNew ? null : await takeTask(records.db, job.id, this.#workerId, hosts)
      if (left) return await this.#run(left)
      const admission = await admitTask(records.db, this.#workerId, hosts, this.#limits, queueName)
      if (admission.kind === 'taken') return await this.#run(admission.row)
      return admission.kind === 'held' ? { againInMs: HELD_MS } : OVER
    } catch (error) {
      if (isSwitchyardError(error, 'database_unavailable')) return { againInMs: DATABASE_AWAY_MS }
      throw error
    } finally {
      this.#busy -= 1
    }
  }

  /** What this worker can run tasks on now. */
  #hosts(): Hosts {
    const { servers, runner } = this.#deps
    const { shared } = servers
    return { ...(shared ? { opencode: shared.id } : {}), ...(runner.isAvailable() ? { docker: 'docker' } : {}) }
  }

  async #run(taken: TaskRow): Promise<Processed> {
    const run = new TaskRun(this.#deps, taken)
    this.#active.set(taken.id, run)
    try {
      const { againInMs } = await run.run()
      // The job may have come for another task: a task that was given back needs a job of its own.
      if (againInMs !== null) await this.#enqueueAgain(taken)
      return OVER
    } finally {
      this.#active.delete(taken.id)
    }
  }

  async #enqueueAgain(taken: TaskRow): Promise<void> {
    const { queue, logger } = this.#deps
    await queue.add(taken).catch((error: Error) => {
      logger.warn(
        { task_id: taken.id, err: error.message },
        'given back and not in the queue yet; a sweeper will add it',
      )
    })
  }

  command(command: Command): void {
    const run = this.#active.get(command.task_id)
    if (!run) {
      if (command.kind === 'control') this.#deps.onOther(command.task_id)
      return
    }
    run
      .command()
      .catch((error) => this.#deps.logger.warn({ task_id: command.task_id, err: error }, 'a command was not taken'))
  }

  /** Lets every run go. The queue's worker waits for them. */
  handOver(): void {
    this.#stopping = true
    for (const run of this.#active.values()) run.handOver()
  }
}
