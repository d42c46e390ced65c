// The agent_calls table: what the agent behind a task reads, or is about to read, in its own calls. It is not notified of that again.

import type { TaskId } from '@switchyard/contracts'
import { sql } from 'kysely'
import { guarded } from './errors.ts'
import type { Db } from './schema.ts'

/** An agent waits in a call for this task, `ms` at most. @returns the call's id. */
export const beginAgentCall = guarded(async (db: Db, taskId: TaskId, ms: number): Promise<string> => {
  const { id } = await db
    .insertInto('agent_calls')
    .values({ task_id: taskId, waits_until: sql<Date>`now() + ${ms} * interval '1 millisecond'` })
    .returning('id')
    .executeTakeFirstOrThrow()
  return id
})

/** The call is over. @param seenSeq - its answer held the record up to this event; null: it had none. */
export const endAgentCall = guarded(async (db: Db, id: string, seenSeq: number | null): Promise<void> => {
  if (seenSeq === null) await db.deleteFrom('agent_calls').where('id', '=', id).execute()
  else await db.updateTable('agent_calls').set({ seen_seq: seenSeq }).where('id', '=', id).execute()
})

/** An agent has read the record up to this event; written once, however often it reads. */
export const noteSeen = guarded(async (db: Db, taskId: TaskId, seq: number): Promise<void> => {
  await sql`
    INSERT INTO agent_calls (task_id, waits_until, seen_seq)
    SELECT ${taskId}, now(), ${seq}::int
    WHERE NOT EXISTS (SELECT 1 FROM agent_calls WHERE task_id = ${taskId} AND seen_seq >= ${seq}::int)`.execute(db)
})

export type AgentView = {
  /** Up to this event it has read. */
  readonly seenSeq: number
  /** It waits within a call now. */
  readonly waits: boolean
}

/** What the agents behind these tasks have seen; a task without any call is left out. */
export const readAgentViews = guarded(
  async (db: Db, ids: readonly TaskId[]): Promise<ReadonlyMap<TaskId, AgentView>> => {
    if (ids.length === 0) return new Map()
    const { rows } = await sql<{ task_id: TaskId; seen_seq: number; waits: boolean }>`
      SELECT task_id, coalesce(max(seen_seq), 0) AS seen_seq,
        coalesce(bool_or(waits_until > now()) FILTER (WHERE seen_seq IS NULL), false) AS waits
      FROM agent_calls WHERE task_id = ANY (${ids}) GROUP BY task_id`.execute(db)
    return new Map(rows.map((row) => [row.task_id, { seenSeq: row.seen_seq, waits: row.waits }]))
  },
)
