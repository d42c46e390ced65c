// The task queues: counts of open tasks, and moving tasks without a session to the other pool.

import type { Pool, QueueName, TaskEvent } from '@switchyard/contracts'
import { sql } from 'kysely'
import { guarded } from './errors.ts'
import { outbox } from './outbox.ts'
import { type TaskRow, toEvent } from './rows.ts'
import type { Db } from './schema.ts'
import { ownerIsGone } from './tasks.ts'

export type QueueLoad = { readonly queued: number; readonly running: number }

/** Open tasks by queue; `running` are those that are prepared, run, wait for an answer or are paused. */
export const readQueueLoads = guarded(async (db: Db): Promise<ReadonlyMap<QueueName, QueueLoad>> => {
  const { rows } = await sql<{ queue_name: QueueName } & QueueLoad>`
    SELECT CASE mode WHEN 'docker' THEN 'docker' ELSE pool END AS queue_name,
      count(*) FILTER (WHERE status = 'queued') AS queued,
      count(*) FILTER (WHERE status <> 'queued') AS running
    FROM tasks WHERE completed_at IS NULL GROUP BY 1`.execute(db)
  return new Map(rows.map(({ queue_name, ...load }) => [queue_name, load]))
})

export type Moved = Pick<TaskRow, 'id' | 'status' | 'priority' | 'generation' | 'mode' | 'pool'> & {
  readonly event: TaskEvent
}

/**
 * Moves tasks from one pool to the other, each with an event that says why, and its deliveries. A task whose session is on a server of its pool
 * stays, for only there can it go on.
 *
 * @param evenOverdue - moves also those with a session that nobody runs and whose deadline has passed: their pool has no worker
 *   that could end them.
 */
export const moveTasks = guarded(
  async (
    db: Db,
    move: { readonly from: Pool; readonly to: Pool; readonly reason: string; readonly evenOverdue: boolean },
    limit: number,
  ): Promise<readonly Moved[]> => {
    const { from, to, reason, evenOverdue } = move
    const { rows } = await sql<
      Omit<Moved, 'event'> & { event: Parameters<typeof toEvent>[0] & { created_at: string } }
    >`
      WITH held AS MATERIALIZED (
        SELECT id, last_seq FROM tasks
        WHERE completed_at IS NULL AND mode = 'opencode' AND pool = ${from} AND (
          (session_id IS NULL AND (status IN ('queued', 'paused') OR (status = 'preparing' AND ${ownerIsGone})))
          OR (${evenOverdue} AND deadline < now() AND status IN ('preparing', 'running', 'input_required')
            AND ${ownerIsGone}))
        ORDER BY created_at LIMIT ${limit} FOR UPDATE SKIP LOCKED
      ),
      written AS (
        INSERT INTO task_events (task_id, seq, type, message, data, source_key)
        SELECT id, last_seq + 1, 'task_progress', 'moved from pool ' || ${from}::text || ' to pool ' || ${to}::text || ': ' || ${reason}::text,
          jsonb_build_object('kind', 'pool', 'from', ${from}::text, 'to', ${to}::text, 'reason', ${reason}::text),
          'pool:' || (last_seq + 1)
        FROM held
        RETURNING seq, task_id, type, message, data, created_at
      ),
      moved AS (
        UPDATE tasks SET pool = ${to}, last_seq = tasks.last_seq + 1, updated_at = now(),
          mode_detail = coalesce(tasks.mode_detail || '; ', '') || 'moved to pool ' || ${to}::text || ': ' || ${reason}::text
        FROM held WHERE tasks.id = held.id
        RETURNING tasks.*
      ),
      ${outbox('moved', 'written')}
      SELECT moved.id, moved.status, moved.priority, moved.generation, moved.mode, moved.pool,
        row_to_json(written) AS event
      FROM moved JOIN written ON written.task_id = moved.id`.execute(db)
    return rows.map(({ event, ...task }) => ({
      ...task,
      event: toEvent({ ...event, created_at: new Date(event.created_at) }),
    }))
  },
)
