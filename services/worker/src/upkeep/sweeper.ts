// Enqueues open tasks that no worker runs, and ends tasks whose deadline has passed. It changes
// only tasks without a living owner, so it cannot fail a task that is running.

import type { Status, TaskId, WorkerId } from '@switchyard/contracts'
import { type Repeating, repeat } from '@switchyard/process'
import type { Bus, TaskQueue } from '@switchyard/queue'
import { advance, findOverdue, findOwned, findUnowned, type Records, releaseTask } from '@switchyard/records'
import type { Logger } from 'pino'

const INTERVAL_MS = 1_000
/**
 * Waiting tasks are enqueued again in every tenth sweep only: their jobs exist unless the queue has
 * lost them.
 */
const SWEEPS_PER_ENQUEUE = 10
/** A task that was changed more recently is about to be enqueued by somebody else, ms. */
const GRACE_MS = 2_000
const BATCH = 500

const HAD_OWNER: readonly Status[] = ['preparing', 'running', 'input_required']

type SweeperDeps = {
  readonly records: Records
  readonly queue: TaskQueue
  readonly bus: Bus
  readonly workerId: WorkerId
  /** Returns whether this worker runs the task. */
  readonly isRunning: (id: TaskId) => boolean
  readonly logger: Logger
}

type OwnedTask = `${string} ${number}`

/**
 * Releases the tasks that this worker owns and does not run.
 *
 * @param suspects - those that the last sweep found. A task that was only just claimed has its run
 *   by the next sweep.
 * @returns the suspects for the next sweep.
 */
const releaseForgotten = async (
  { records, workerId, isRunning, logger }: SweeperDeps,
  suspects: ReadonlySet<OwnedTask>,
): Promise<ReadonlySet<OwnedTask>> => {
  const forgotten = (await findOwned(records.db, workerId)).filter((task) => !isRunning(task.id))
  for (const task of forgotten) {
    if (!suspects.has(`${task.id} ${task.generation}`)) continue
    logger.error({ task_id: task.id }, 'this worker owned a task and did not run it; released')
    await releaseTask(records.db, task.id, task.generation)
  }
  return new Set(forgotten.map((task): OwnedTask => `${task.id} ${task.generation}`))
}

const enqueue = async ({ records, queue }: SweeperDeps, statuses: readonly Status[]): Promise<void> => {
  const tasks = await findUnowned(records.db, statuses, GRACE_MS, BATCH)
  if (tasks.length > 0) await queue.addAll(tasks)
}

const endOverdue = async ({ records, bus, logger }: SweeperDeps): Promise<void> => {
  for (const task of await findOverdue(records.db, BATCH)) {
    // If the session may be running, it must be stopped first: the next worker that claims the task
    // does that and ends it. The session of a task that is paused, or waits after a pause, is idle.
    if (task.started_at && task.status !== 'paused' && task.status !== 'queued') continue
    const message =
      task.status === 'paused' ? 'paused past its deadline' : 'no worker started the task before its deadline'
    const ended = await advance(records.db, {
      taskId: task.id,
      generation: null,
      from: [task.status],
      to: 'timeout',
      set: { completed_at: new Date(), error: { code: 'task_timeout', message, retryable: true } },
      events: [{ type: 'task_timeout', message, data: { code: 'task_timeout' }, source_key: 'end' }],
    })
    if (!ended) continue
    bus.publishTask(task.id, { kind: 'events', events: ended.events })
    logger.info({ task_id: task.id, status: task.status }, 'task ended at its deadline without a worker')
  }
}

export const startSweeper = (deps: SweeperDeps): Repeating => {
  let sweeps = 0
  let suspects: ReadonlySet<OwnedTask> = new Set()
  const sweep = async () => {
    await enqueue(deps, HAD_OWNER)
    suspects = await releaseForgotten(deps, suspects)
    if (sweeps++ % SWEEPS_PER_ENQUEUE === 0) await enqueue(deps, ['queued'])
    await endOverdue(deps)
  }
  return repeat({ name: 'task sweep', everyMs: INTERVAL_MS, work: sweep, logger: deps.logger })
}
