// Requests that nobody has answered: repeated, once, to those destinations that are there for it.

import { sql } from 'kysely'
import { type Advanced, advance } from './advance.ts'
import { guarded } from './errors.ts'
import type { RequestRow } from './rows.ts'
import type { Db } from './schema.ts'

/** Returns requests that have waited for `olderThanMs`, were not repeated yet, and have a destination to repeat to. */
export const findUnanswered = guarded(
  async (db: Db, olderThanMs: number, limit: number): Promise<readonly RequestRow[]> => {
    const { rows } = await sql<RequestRow>`
      SELECT request.* FROM task_requests request
      JOIN tasks task ON task.id = request.task_id
      WHERE request.settled_at IS NULL AND request.replied_at IS NULL AND request.escalated_at IS NULL
        AND request.created_at < now() - ${olderThanMs} * interval '1 millisecond'
        AND task.status = 'input_required'
        AND EXISTS (SELECT 1 FROM destinations
          WHERE escalation AND disabled_at IS NULL
            AND (sees_all OR owner_key = task.owner_key)
            AND (agent_id IS NULL OR agent_id = task.agent_id)
            AND (project_id IS NULL OR project_id = task.project_id))
      ORDER BY request.created_at LIMIT ${limit}`.execute(db)
    return rows
  },
)

/**
 * Repeats a request as an event that only destinations with `escalation` receive.
 *
 * @returns what was written; null when it was answered meanwhile, or the task has continued.
 */
export const escalateRequest = guarded(async (db: Db, request: RequestRow): Promise<Advanced | null> => {
  const transaction = await db.startTransaction().execute()
  try {
    const advanced = await advance(transaction, {
      taskId: request.task_id as `task_${string}`,
      generation: null,
      from: ['input_required'],
      events: [
        {
          type: 'task_input_required',
          message: `nobody has answered yet: ${request.title}`,
          source_key: `request:${request.opencode_id}:escalated`,
          data: {
            request_id: request.id,
            kind: request.kind,
            permission: request.permission,
            patterns: request.patterns,
            questions: request.questions,
            expires_at: request.expires_at,
            default_reply: request.default_reply,
            escalated: true,
          },
        },
      ],
    })
    const { numUpdatedRows } = await transaction
      .updateTable('task_requests')
      .set({ escalated_at: sql`now()` })
      .where('id', '=', request.id)
      .where('replied_at', 'is', null)
      .where('settled_at', 'is', null)
      .executeTakeFirst()
    if (advanced && numUpdatedRows > 0n) {
      await transaction.commit().execute()
      return advanced
    }
    await transaction.rollback().execute()
    return null
  } catch (error) {
    await transaction
      .rollback()
      .execute()
      .catch(() => {})
    throw error
  }
})
