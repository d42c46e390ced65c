// Moves waiting tasks to the other pool if theirs is drained or has no live worker.

import type { Logger } from '@switchyard/config'
import { POOLS } from '@switchyard/contracts'
import type { Bus, TaskQueue } from '@switchyard/queue'
import { moveTasks, type Records } from '@switchyard/records'
import { otherPool, type Rules } from './decide.ts'

/** Number of tasks that one statement moves. */
const BATCH = 500

type Deps = {
  readonly records: Records
  readonly queue: Pick<TaskQueue, 'addAll'>
  readonly bus: Bus
  readonly logger: Logger
}

/**
 * Moves the tasks, unless the other pool has no live worker either. Safe to run in several api processes at once.
 *
 * @throws SwitchyardError `database_unavailable`
 */
export const moveWaiting = async ({ records, queue, bus, logger }: Deps, { pools, unserved }: Rules): Promise<void> => {
  for (const from of POOLS) {
    const to = otherPool(from)
    if (unserved.has(to) || (pools[from] > 0 && !unserved.has(from))) continue
    const reason = unserved.has(from) ? 'it has no live worker' : 'it is drained'
    for (;;) {
      const moved = await moveTasks(records.db, { from, to, reason, evenOverdue: unserved.has(from) }, BATCH)
      if (moved.length === 0) break
      logger.info({ from, to, tasks: moved.length }, `moved tasks from pool ${from} to ${to}: ${reason}`)
      for (const { id, event } of moved) bus.publishTask(id, { kind: 'events', events: [event] })
      // Paused tasks have no queue job. If enqueuing fails, the sweeper of a worker enqueues the task.
      const ready = moved.filter(({ status }) => status !== 'paused')
      await queue
        .addAll(ready)
        .catch((error: Error) =>
          logger.warn({ err: error.message }, 'failed to enqueue moved tasks; the sweeper will enqueue them'),
        )
      if (moved.length < BATCH) break
    }
  }
}
