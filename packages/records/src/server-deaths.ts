// Tasks that were running when their server died: one of them may have killed it. They run alone, a few at a time, until the
// one is found.

import type { TaskId } from '@switchyard/contracts'
import { sql } from 'kysely'
import { guarded } from './errors.ts'
import type { TaskRow } from './rows.ts'
import type { Db } from './schema.ts'

const PREFIX = 'task:'

/** Returns the id of a task's own server, as `server_id` contains it. */
export const taskServerId = (taskId: TaskId): string => `${PREFIX}${taskId}`

/** Returns the task whose own server that is; undefined for any other server. */
export const taskOfServer = (serverId: string): TaskId | undefined =>
  serverId.startsWith(PREFIX) ? (serverId.slice(PREFIX.length) as TaskId) : undefined

export type AloneLimits = {
  /** How many tasks of a pool may run alone at once. */
  readonly atOnce: number
  /** Tasks that have run alone for longer than this are not counted, ms; null: they are counted until they end. */
  readonly countedMs: number | null
}

/**
 * Marks a task as running alone.
 *
 * @returns false while as many others run alone as may at once, or if the run is not the owner any more
 */
export const beginAlone = guarded(
  async (
    db: Db,
    { id, generation, pool }: Pick<TaskRow, 'id' | 'generation' | 'pool'>,
    { atOnce, countedMs }: AloneLimits,
  ): Promise<boolean> =>
    db.transaction().execute(async (transaction) => {
      await sql`SELECT pg_advisory_xact_lock(hashtextextended('alone', 0))`.execute(transaction)
      const isCounted =
        countedMs === null ? sql`true` : sql`alone_since > now() - ${countedMs} * interval '1 millisecond'`
      const { numAffectedRows } = await sql`
        UPDATE tasks SET alone_since = now(), updated_at = now()
        WHERE id = ${id} AND generation = ${generation} AND completed_at IS NULL AND (
          SELECT count(*) FROM tasks other
          WHERE other.id <> ${id} AND other.pool = ${pool} AND other.completed_at IS NULL
            AND other.status IN ('preparing', 'running', 'input_required')
            AND other.alone_since IS NOT NULL AND ${isCounted}) < ${atOnce}`.execute(transaction)
      return (numAffectedRows ?? 0n) > 0n
    }),
)

/** Clears what the deaths say against the other tasks of a pool: the task that caused them was found. */
export const clearSuspicion = guarded(async (db: Db, { id, pool }: Pick<TaskRow, 'id' | 'pool'>): Promise<void> => {
  await sql`
    UPDATE tasks SET suspicious_deaths = 0
    WHERE completed_at IS NULL AND suspicious_deaths > 0 AND alone_since IS NULL AND pool = ${pool} AND id <> ${id}`.execute(
    db,
  )
})

/**
 * Records that the own server of an ended task was removed, with everything that ran on it.
 *
 * @param serverId - the server that has the task's session now; null if that is unknown
 */
export const settleOwnServer = guarded(async (db: Db, id: TaskId, serverId: string | null): Promise<void> => {
  await db
    .updateTable('tasks')
    .set({ abort_pending: false, ...(serverId === null ? {} : { server_id: serverId }) })
    .where('id', '=', id)
    .execute()
})
