// Moves what waits in a pool that takes no tasks to the other one: it is drained, or nobody serves it.

import type { Logger } from '@switchyard/config'
import { POOLS } from '@switchyard/contracts'
import type { Bus, TaskQueue } from '@switchyard/queue'
import { moveTasks, type Records } from '@switchyard/records'
import { otherPool, type Rules } from './decide.ts'

/** Tasks that are moved with one statement. */
const BATCH = 500

type Deps = {
  readonly records: Records
  readonly queue: Pick<TaskQueue, 'addAll'>
  readonly bus: Bus
  readonly logger: Logger
}

/** Does nothing where the other pool is gone too. Safe to run in several apis at once. @throws SwitchyardError `database_unavailable` */
export const moveWaiting = async ({ records, queue, bus, logger }: Deps, { pools, gone }: Rules): Promise<void> => {
  for (const from of POOLS) {
    const to = otherPool(from)
    if (gone.has(to) || (pools[from] > 0 && !gone.has(from))) continue
    const reason = gone.has(from) ? 'it has no live worker' : 'it is drained'
    for (;;) {
      const moved = await moveTasks(records.db, { from, to, reason, evenOverdue: gone.has(from) }, BATCH)
      if (moved.length === 0) break
      logger.info({ from, to, tasks: moved.length }, `tasks were moved from pool ${from} to ${to}: ${reason}`)
      for (const { id, event } of moved) bus.publishTask(id, { kind: 'events', events: [event] })
      // Those that are paused have no job; a job that cannot be added now is added by a worker's sweeper.
      const ready = moved.filter(({ status }) => status !== 'paused')
      await queue.addAll(ready).catch((error: Error) => logger.warn({ err: error.message }, 'jobs were not added'))
      if (moved.length < BATCH) break
    }
  }
}
