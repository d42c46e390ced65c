// The events of all tasks in one order: their positions, taken from a sequence.
//
// A sequence does not follow the order of commits: 7 may be visible while 6 is still being written, and a reader must not
// pass 6. A writer has its transaction id before it takes a position (it has locked or written the task's row). So once
// every transaction that was running after a position was read has ended, all positions up to it exist or never will.

import type { EventType, TaskEvent } from '@switchyard/contracts'
import { sql } from 'kysely'
import { guarded } from './errors.ts'
import { type EventRow, toEvent } from './rows.ts'
import type { Db } from './schema.ts'

/** Returns the highest position ever taken; 0 before the first. */
export const readLastPosition = guarded(async (db: Db): Promise<number> => {
  const { rows } = await sql<{ last: number }>`
    SELECT CASE WHEN is_called THEN last_value ELSE 0 END AS last FROM task_event_positions`.execute(db)
  return rows[0]?.last ?? 0
})

/**
 * Takes a new transaction id: every transaction that had one before this call has a lower one. A snapshot is not enough,
 * since it shows the highest id that has ended, above which others may be running.
 */
export const takeTransactionId = guarded(async (db: Db): Promise<bigint> => {
  const { rows } = await sql<{ id: string }>`SELECT pg_current_xact_id()::text AS id`.execute(db)
  return BigInt(rows[0]?.id ?? 0)
})

/** All transactions with a lower id than this one have ended. */
export const readOldestRunning = guarded(async (db: Db): Promise<bigint> => {
  const { rows } = await sql<{ id: string }>`SELECT pg_snapshot_xmin(pg_current_snapshot())::text AS id`.execute(db)
  return BigInt(rows[0]?.id ?? 0)
})

/** An event with what decides who may see it. */
export type PlacedEvent = {
  readonly position: number
  readonly event: TaskEvent
  readonly owner_key: string
  readonly agent_id: string
  readonly project_id: string | null
}

export type FeedFilter = {
  readonly owner_key?: string
  readonly agent_id?: string
  readonly project_id?: string
  readonly types?: readonly EventType[]
}

export type FeedPage = {
  readonly events: readonly PlacedEvent[]
  /** Everything up to here has been looked at. */
  readonly through: number
}

/** One query looks at so many positions at most, however few of them are wanted. */
const WINDOW = 5_000

/** Wanted events above `after` and not above `upTo`, in order. */
export const readFeed = guarded(
  async (
    db: Db,
    filter: FeedFilter,
    page: { readonly after: number; readonly upTo: number; readonly limit: number },
  ): Promise<FeedPage> => {
    const end = Math.min(page.upTo, page.after + WINDOW)
    let query = db
      .selectFrom('task_events')
      .innerJoin('tasks', 'tasks.id', 'task_events.task_id')
      .select(['task_events.task_id', 'seq', 'type', 'message', 'data', 'task_events.created_at', 'position'])
      .select(['owner_key', 'agent_id', 'project_id'])
      .where('position', '>', page.after)
      .where('position', '<=', end)
      .orderBy('position')
      .limit(page.limit)
    if (filter.owner_key !== undefined) query = query.where('owner_key', '=', filter.owner_key)
    if (filter.agent_id !== undefined) query = query.where('agent_id', '=', filter.agent_id)
    if (filter.project_id !== undefined) query = query.where('project_id', '=', filter.project_id)
    if (filter.types !== undefined) query = query.where('type', 'in', filter.types)
    const rows = await query.execute()
    const events = rows.map((row) => ({
      position: row.position ?? 0,
      event: toEvent(row satisfies Omit<EventRow, 'source_key'>),
      owner_key: row.owner_key,
      agent_id: row.agent_id,
      project_id: row.project_id,
    }))
    const last = events.at(-1)
    return { events, through: last && events.length === page.limit ? last.position : end }
  },
)
