// What goes after its time: working directories, events, records; and sessions that are still to be stopped.

import type { TaskId } from '@switchyard/contracts'
import { sql } from 'kysely'
import { guarded } from './errors.ts'
import type { TaskRow } from './rows.ts'
import type { Db } from './schema.ts'

const ago = (ms: number) => sql<Date>`now() - ${ms} * interval '1 millisecond'`

/** Ended tasks whose working directory is past its time, the oldest first. @param except - not these */
export const findExpiredWorkspaces = guarded(
  async (db: Db, keptMs: number, limit: number, except: readonly TaskId[]): Promise<readonly TaskRow[]> =>
    db
      .selectFrom('tasks')
      .selectAll()
      .where('completed_at', '<', ago(keptMs))
      .where('workspace_removed_at', 'is', null)
      .where('id', '<>', sql<TaskId>`ALL (${[...except]})`)
      .where('abort_pending', '=', false)
      .orderBy('completed_at')
      .limit(limit)
      .execute(),
)

export const markWorkspaceRemoved = guarded(async (db: Db, id: TaskId): Promise<void> => {
  await db.updateTable('tasks').set({ workspace_removed_at: sql`now()` }).where('id', '=', id).execute()
})

/** Deletes the events of tasks that ended long ago, but the last one of each. @returns how many tasks lost events. */
export const pruneEvents = guarded(async (db: Db, keptMs: number, limit: number): Promise<number> => {
  const { rows } = await sql<{ id: string }>`
    WITH old AS (
      SELECT id, last_seq FROM tasks
      WHERE completed_at < ${ago(keptMs)} AND events_pruned_to < last_seq - 1
      ORDER BY completed_at LIMIT ${limit} FOR UPDATE SKIP LOCKED
    ),
    gone AS (DELETE FROM task_events e USING old WHERE e.task_id = old.id AND e.seq < old.last_seq)
    UPDATE tasks SET events_pruned_to = tasks.last_seq - 1 FROM old WHERE tasks.id = old.id RETURNING tasks.id`.execute(
    db,
  )
  return rows.length
})

/** Deletes whole records, events and all, of tasks that ended long ago and whose directory is gone. */
export const deleteOldTasks = guarded(async (db: Db, keptMs: number, limit: number): Promise<number> => {
  const { rows } = await sql`
    DELETE FROM tasks WHERE id IN (
      SELECT id FROM tasks
      WHERE completed_at < ${ago(keptMs)} AND workspace_removed_at IS NOT NULL AND NOT abort_pending
      ORDER BY completed_at LIMIT ${limit} FOR UPDATE SKIP LOCKED
    ) RETURNING id`.execute(db)
  return rows.length
})

/** Returns ended tasks of a server whose session was not stopped, because the server was unavailable then. */
export const findPendingAborts = guarded(
  async (db: Db, serverId: string, limit: number): Promise<readonly TaskRow[]> =>
    db
      .selectFrom('tasks')
      .selectAll()
      .where('completed_at', 'is not', null)
      .where('abort_pending', '=', true)
      .where('server_id', '=', serverId)
      .orderBy('completed_at')
      .limit(limit)
      .execute(),
)

export const markAborted = guarded(async (db: Db, id: TaskId): Promise<void> => {
  await db.updateTable('tasks').set({ abort_pending: false }).where('id', '=', id).execute()
})
