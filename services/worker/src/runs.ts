// The runs of this worker: takes a task that is offered, keeps the run while it lasts, passes commands to it.

import { isSwitchyardError, type TaskId, type WorkerId } from '@switchyard/contracts'
import type { Command, Processed } from '@switchyard/queue'
import { takeTask } from '@switchyard/records'
import { TaskRun, type TaskRunDeps } from './run/task-run.ts'

/** When to offer a task again that could not be taken because the database is away, ms. */
const DATABASE_AWAY_MS = 1_000

export class Runs {
  readonly #deps: TaskRunDeps
  readonly #workerId: WorkerId
  readonly #active = new Map<TaskId, TaskRun>()
  #stopping = false

  constructor(deps: TaskRunDeps, workerId: WorkerId) {
    this.#deps = deps
    this.#workerId = workerId
  }

  get count(): number {
    return this.#active.size
  }

  /** The job of a task that has an owner, is paused or has ended is over: whoever makes it ready again queues it again. */
  async process(id: TaskId): Promise<Processed> {
    if (this.#stopping) return { againInMs: 0 }
    try {
      const taken = await takeTask(this.#deps.records.db, id, this.#workerId)
      if (!taken) return { againInMs: null }
      const run = new TaskRun(this.#deps, taken)
      this.#active.set(id, run)
      try {
        return await run.run()
      } finally {
        this.#active.delete(id)
      }
    } catch (error) {
      if (isSwitchyardError(error, 'database_unavailable')) return { againInMs: DATABASE_AWAY_MS }
      throw error
    }
  }

  command(command: Command): void {
    this.#active
      .get(command.task_id)
      ?.command()
      .catch((error) => this.#deps.logger.warn({ task_id: command.task_id, err: error }, 'a command was not taken'))
  }

  /** Lets every run go. The queue's worker waits for them. */
  handOver(): void {
    this.#stopping = true
    for (const run of this.#active.values()) run.handOver()
  }
}
