// The letta_blocks table: the memory block that an agent of Letta has of each of its tasks, and when it is written next.

import { LETTA_AGENT_ID, type TaskId } from '@switchyard/contracts'
import { type Selectable, sql } from 'kysely'
import { guarded } from './errors.ts'
import type { Db, LettaBlocksTable } from './schema.ts'

export type LettaBlockRow = Selectable<LettaBlocksTable>

const inMs = (ms: number) => sql<Date>`now() + ${ms} * interval '1 millisecond'`

/** A block for each open task of an agent of Letta that has none. */
export const addMissingBlocks = guarded(async (db: Db): Promise<void> => {
  await sql`
    INSERT INTO letta_blocks (task_id, agent_id)
    SELECT id, agent_id FROM tasks WHERE completed_at IS NULL AND agent_id ~ ${LETTA_AGENT_ID.source}
    ON CONFLICT DO NOTHING`.execute(db)
})

/** Blocks of tasks in which something has happened since they were written. Nobody else gets them for `leaseMs`. */
export const takeDueBlocks = guarded(
  async (db: Db, limit: number, leaseMs: number): Promise<readonly LettaBlockRow[]> => {
    const { rows } = await sql<LettaBlockRow>`
      WITH due AS (
        SELECT block.task_id FROM letta_blocks block JOIN tasks task ON task.id = block.task_id
        WHERE block.next_at <= now() AND block.given_up_at IS NULL AND task.last_seq > block.written_seq
        ORDER BY block.next_at LIMIT ${limit} FOR UPDATE OF block SKIP LOCKED
      )
      UPDATE letta_blocks block SET next_at = ${inMs(leaseMs)} FROM due WHERE block.task_id = due.task_id
      RETURNING block.*`.execute(db)
    return rows
  },
)

/** It holds the record up to `seq`, and is not written again for `againMs`. */
export const markBlockWritten = guarded(
  async (db: Db, taskId: TaskId, blockId: string, seq: number, againMs: number): Promise<void> => {
    await db
      .updateTable('letta_blocks')
      .set({ block_id: blockId, written_seq: seq, failures: 0, problem: null, next_at: inMs(againMs) })
      .where('task_id', '=', taskId)
      .execute()
  },
)

/** @param againMs - when to try again; null: never. @param problem - null where a person has seen to it. */
export const markBlockFailed = guarded(
  async (db: Db, taskId: TaskId, problem: string | null, againMs: number | null): Promise<void> => {
    await db
      .updateTable('letta_blocks')
      .set((eb) => ({
        failures: eb('failures', '+', 1),
        problem,
        next_at: inMs(againMs ?? 0),
        given_up_at: againMs === null ? sql<Date>`now()` : null,
      }))
      .where('task_id', '=', taskId)
      .execute()
  },
)

/**
 * Blocks whose task ended that long ago, or is gone. Nobody else gets them for `leaseMs`.
 *
 * @param keptMs - null: every block, for there are to be none.
 */
export const takeExpiredBlocks = guarded(
  async (db: Db, keptMs: number | null, limit: number, leaseMs: number): Promise<readonly LettaBlockRow[]> => {
    const isExpired =
      keptMs === null
        ? sql`true`
        : sql`(task.id IS NULL OR task.completed_at < now() - ${keptMs} * interval '1 millisecond')`
    const { rows } = await sql<LettaBlockRow>`
      WITH expired AS (
        SELECT block.task_id FROM letta_blocks block LEFT JOIN tasks task ON task.id = block.task_id
        WHERE block.next_at <= now() AND ${isExpired}
        ORDER BY block.next_at LIMIT ${limit} FOR UPDATE OF block SKIP LOCKED
      )
      UPDATE letta_blocks block SET next_at = ${inMs(leaseMs)} FROM expired WHERE block.task_id = expired.task_id
      RETURNING block.*`.execute(db)
    return rows
  },
)

/** It is deleted in Letta. */
export const forgetBlock = guarded(async (db: Db, taskId: TaskId): Promise<void> => {
  await db.deleteFrom('letta_blocks').where('task_id', '=', taskId).execute()
})

/** How many blocks are tried again and again, and the latest reason; null where none is. */
export const readBlockProblem = guarded(
  async (db: Db): Promise<{ readonly count: number; readonly problem: string } | null> => {
    const { rows } = await sql<{ count: number; problem: string }>`
      SELECT count(*) OVER () AS count, problem FROM letta_blocks
      WHERE problem IS NOT NULL AND given_up_at IS NULL ORDER BY next_at DESC LIMIT 1`.execute(db)
    return rows[0] ?? null
  },
)
