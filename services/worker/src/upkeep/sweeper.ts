// Finds open tasks that nobody works on and puts them back into the queue; ends those whose deadline has passed.
// It touches only tasks without a living owner, so it can never fail a healthy one.

import type { Status, TaskId, WorkerId } from '@switchyard/contracts'
import { type Repeating, repeat } from '@switchyard/process'
import type { Bus, TaskQueue } from '@switchyard/queue'
import { advance, findOverdue, findOwned, findUnowned, type Records, releaseTask } from '@switchyard/records'
import type { Logger } from 'pino'

const INTERVAL_MS = 1_000
/** Tasks that wait in the queue are offered to it again more rarely: their jobs are there unless the queue lost them. */
const WAITING_EVERY = 10
/** Younger rows are on their way into the queue. */
const GRACE_MS = 2_000
const BATCH = 500

const ABANDONED: readonly Status[] = ['preparing', 'running', 'input_required']

type Deps = {
  readonly records: Records
  readonly queue: TaskQueue
  readonly bus: Bus
  readonly workerId: WorkerId
  /** Whether this worker has a run of the task. */
  readonly isRunning: (id: TaskId) => boolean
  readonly logger: Logger
}

/** Two looks at what this worker owns and does not run: one that was just taken has its run by the second. */
const releaseForgotten = async (deps: Deps, before: ReadonlySet<string>): Promise<ReadonlySet<string>> => {
  const { records, workerId, isRunning, logger } = deps
  const forgotten = (await findOwned(records.db, workerId)).filter((task) => !isRunning(task.id))
  for (const task of forgotten) {
    if (!before.has(`${task.id} ${task.generation}`)) continue
    logger.error({ task_id: task.id }, 'released a task that this worker owned and did not run')
    await releaseTask(records.db, task.id, task.generation)
  }
  return new Set(forgotten.map((task) => `${task.id} ${task.generation}`))
}

const requeue = async ({ records, queue }: Deps, statuses: readonly Status[]): Promise<void> => {
  const tasks = await findUnowned(records.db, statuses, GRACE_MS, BATCH)
  if (tasks.length > 0) await queue.addAll(tasks)
}

const endOverdue = async ({ records, bus, logger }: Deps): Promise<void> => {
  for (const task of await findOverdue(records.db, BATCH)) {
    // One whose session may run is ended by the worker that takes it next: the session must be stopped first. While it is
    // paused, or waits after that, its session is idle.
    if (task.started_at && task.status !== 'paused' && task.status !== 'queued') continue
    const message = task.status === 'paused' ? 'paused past its deadline' : 'no worker took it before its deadline'
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
    logger.info({ task_id: task.id }, message)
  }
}

export const startSweeper = (deps: Deps): Repeating => {
  let round = 0
  let forgotten: ReadonlySet<string> = new Set()
  const work = async () => {
    await requeue(deps, ABANDONED)
    forgotten = await releaseForgotten(deps, forgotten)
    if (round++ % WAITING_EVERY === 0) await requeue(deps, ['queued'])
    await endOverdue(deps)
  }
  return repeat({ name: 'task sweep', everyMs: INTERVAL_MS, work, logger: deps.logger })
}
