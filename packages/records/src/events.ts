// The task_events table: pages by number. Writing is `advance`.

import type { EventType, TaskEvent, TaskId } from '@switchyard/contracts'
import { guarded } from './errors.ts'
import { toEvent } from './rows.ts'
import type { Db } from './schema.ts'

/** Events numbered above `after`, in order. */
export const readEvents = guarded(
  async (
    db: Db,
    id: TaskId,
    page: { readonly after: number; readonly limit: number },
  ): Promise<readonly TaskEvent[]> => {
    const rows = await db
      .selectFrom('task_events')
      .select(['seq', 'task_id', 'type', 'message', 'data', 'created_at'])
      .where('task_id', '=', id)
      .where('seq', '>', page.after)
      .orderBy('seq')
      .limit(page.limit)
      .execute()
    return rows.map(toEvent)
  },
)

/** The last `count` events, in order. */
export const readLastEvents = guarded(async (db: Db, id: TaskId, count: number): Promise<readonly TaskEvent[]> => {
  const rows = await db
    .selectFrom('task_events')
    .select(['seq', 'task_id', 'type', 'message', 'data', 'created_at'])
    .where('task_id', '=', id)
    .orderBy('seq', 'desc')
    .limit(count)
    .execute()
  return rows.map(toEvent).toReversed()
})

/** What the event of that `source_key` in the task's record is; undefined where none is there. */
export const findToldType = guarded(
  async (db: Db, id: TaskId, sourceKey: string): Promise<EventType | undefined> =>
    (
      await db
        .selectFrom('task_events')
        .select('type')
        .where('task_id', '=', id)
        .where('source_key', '=', sourceKey)
        .executeTakeFirst()
    )?.type,
)
