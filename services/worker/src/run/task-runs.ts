// The runs of this worker: claims a task for a queue job, keeps track of its run, and passes
// commands to it.

import { isSwitchyardError, type QueueName, type TaskId, type WorkerId } from '@switchyard/contracts'
import type { Command, Processed, QueueJob, TaskQueue } from '@switchyard/queue'
import { admitTask, type Hosts, type RunLimits, type TaskRow, takeTask } from '@switchyard/records'
import type { TaskRunDeps } from './execution.ts'
import { TaskRun } from './task-run.ts'

/** Delay of a job whose task cannot be claimed because the database is unavailable, ms. */
const DATABASE_RETRY_MS = 1_000
/** Delay of a job while every waiting task exceeds a limit, ms. */
const LIMIT_RETRY_MS = 1_000
const DONE: Processed = { againInMs: null }

export type TaskRunsDeps = TaskRunDeps & {
  readonly queue: TaskQueue
  readonly workerId: WorkerId
  readonly limits: RunLimits
  /** The most runs at once, of all queues together. */
  readonly concurrency: number
  /** Called for a control of a task that does not run here: its container may have no owner. */
  readonly onForeignControl: (id: TaskId) => void
}

export class TaskRuns {
  readonly #deps: TaskRunsDeps
  readonly #active = new Map<TaskId, TaskRun>()
  /** Jobs for which a task is being claimed or run. */
  #busy = 0
  #isStopping = false

  constructor(deps: TaskRunsDeps) {
    this.#deps = deps
  }

  has(id: TaskId): boolean {
    return this.#active.has(id)
  }

  get count(): number {
    return this.#active.size
  }

  /**
   * Runs a task for a queue job. The job of a task that had an owner runs that task. Any other job
   * says only that a task waits in its queue: the next one in order runs. If no task waits, the job
   * is done.
   */
  async process(job: QueueJob, queueName: QueueName): Promise<Processed> {
    const { records, workerId, limits, concurrency } = this.#deps
    if (this.#isStopping) return { againInMs: 0 }
    // Each queue consumer runs at full concurrency; the worker-wide limit is enforced here.
    if (this.#busy >= concurrency) return { againInMs: LIMIT_RETRY_MS }
    this.#busy += 1
    try {
      const hosts = this.#hosts()
      const abandoned = job.isNew ? null : await takeTask(records.db, job.id, workerId, hosts)
      if (abandoned) return await this.#run(abandoned)
      const admission = await admitTask(records.db, workerId, hosts, limits, queueName)
      if (admission.kind === 'taken') return await this.#run(admission.row)
      return admission.kind === 'held' ? { againInMs: LIMIT_RETRY_MS } : DONE
    } catch (error) {
      if (isSwitchyardError(error, 'database_unavailable')) return { againInMs: DATABASE_RETRY_MS }
      throw error
    } finally {
      this.#busy -= 1
    }
  }

  /** Returns what this worker can run tasks on now. */
  #hosts(): Hosts {
    const { servers, runner } = this.#deps
    const { shared } = servers
    return {
      ...(shared ? { opencode: shared.id } : {}),
      ...(runner.isAvailable() ? { docker: 'docker' } : {}),
      ownerServers: servers.canStart(),
    }
  }

  async #run(task: TaskRow): Promise<Processed> {
    const run = new TaskRun(this.#deps, task)
    this.#active.set(task.id, run)
    try {
      const { againInMs } = await run.run()
      // This job may have been added for another task, so a released task gets a job of its own.
      if (againInMs !== null) await this.#enqueue(task)
      return DONE
    } finally {
      this.#active.delete(task.id)
    }
  }

  async #enqueue(task: TaskRow): Promise<void> {
    const { queue, logger } = this.#deps
    await queue.add(task).catch((error: Error) => {
      logger.warn(
        { task_id: task.id, err: error.message },
        'task released but not enqueued; the sweeper will enqueue it',
      )
    })
  }

  /** Passes a command to the run of its task. */
  command(command: Command): void {
    const { logger, onForeignControl } = this.#deps
    const run = this.#active.get(command.task_id)
    if (run)
      run.command().catch((error) => logger.warn({ task_id: command.task_id, err: error }, 'failed to process command'))
    else if (command.kind === 'control') onForeignControl(command.task_id)
  }

  /** Starts no more runs and has the running ones release their tasks. */
  handOver(): void {
    this.#isStopping = true
    for (const run of this.#active.values()) run.handOver()
  }
}
