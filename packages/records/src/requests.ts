// The task_requests table: permission asks and questions that wait for a person.

import type { NewEvent, Reply, RequestId, TaskId, TaskRequest } from '@switchyard/contracts'
import { sql } from 'kysely'
import { type Advanced, advance } from './advance.ts'
import { guarded } from './errors.ts'
import { storable, toJson } from './json.ts'
import type { RequestRow } from './rows.ts'
import type { Db } from './schema.ts'

export type NewRequest = Pick<
  TaskRequest,
  'kind' | 'session_id' | 'title' | 'permission' | 'patterns' | 'questions' | 'default_reply'
> & {
  readonly id: RequestId
  readonly opencode_id: string
  readonly always: readonly string[]
  readonly expires_at: Date
}

/** Writes a request once; an existing row is returned unchanged. */
export const openRequest = guarded(
  async (db: Db, taskId: TaskId, request: NewRequest): Promise<{ row: RequestRow; created: boolean }> => {
    const row = await db
      .insertInto('task_requests')
      .values({
        id: request.id,
        task_id: taskId,
        opencode_id: request.opencode_id,
        session_id: request.session_id,
        kind: request.kind,
        title: storable(request.title),
        permission: request.permission,
        patterns: toJson(request.patterns),
        always: toJson(request.always),
        questions: toJson(request.questions),
        default_reply: request.default_reply,
        expires_at: request.expires_at,
      })
      .onConflict((conflict) => conflict.columns(['task_id', 'opencode_id']).doNothing())
      .returningAll()
      .executeTakeFirst()
    if (row) return { row, created: true }
    const there = await db
      .selectFrom('task_requests')
      .selectAll()
      .where('task_id', '=', taskId)
      .where('opencode_id', '=', request.opencode_id)
      .executeTakeFirstOrThrow()
    return { row: there, created: false }
  },
)

export const findRequest = guarded(
  async (db: Db, taskId: TaskId, id: string): Promise<RequestRow | undefined> =>
    db.selectFrom('task_requests').selectAll().where('task_id', '=', taskId).where('id', '=', id).executeTakeFirst(),
)

/** Requests that OpenCode still waits for: with an answer to pass on, or without one. */
export const unsettledRequests = guarded(
  async (db: Db, taskId: TaskId): Promise<readonly RequestRow[]> =>
    db
      .selectFrom('task_requests')
      .selectAll()
      .where('task_id', '=', taskId)
      .where('settled_at', 'is', null)
      .orderBy('created_at')
      .execute(),
)

/** Keeps the first answer. @returns false where one is there already. */
const answerRequest = guarded(
  async (
    db: Db,
    id: string,
    reply: { reply: Reply['reply']; message: string | null },
    repliedBy: string,
  ): Promise<boolean> => {
    const { numUpdatedRows } = await db
      .updateTable('task_requests')
      .set({ reply: toJson(reply), replied_by: repliedBy, replied_at: sql`now()` })
      .where('id', '=', id)
      .where('replied_at', 'is', null)
      .where('settled_at', 'is', null)
      .executeTakeFirst()
    return numUpdatedRows > 0n
  },
)

/**
 * Writes the first answer and its event in one transaction, if the task is still open.
 *
 * @returns what was written; `ended` when the task has ended, `answered` when an answer exists.
 */
export const replyToRequest = guarded(
  async (
    db: Db,
    taskId: TaskId,
    id: string,
    reply: { reply: Reply['reply']; message: string | null },
    repliedBy: string,
    event: NewEvent,
  ): Promise<Advanced | 'ended' | 'answered'> => {
    const transaction = await db.startTransaction().execute()
    try {
      // The task's row first, as everyone who writes to a task: no two wait for each other.
      const advanced = await advance(transaction, { taskId, generation: null, events: [event] })
      const isKept = advanced !== null && (await answerRequest(transaction, id, reply, repliedBy))
      if (isKept) {
        await transaction.commit().execute()
        return advanced
      }
      await transaction.rollback().execute()
      return advanced ? 'answered' : 'ended'
    } catch (error) {
      await transaction
        .rollback()
        .execute()
        .catch(() => {})
      throw error
    }
  },
)

export const settleRequest = guarded(async (db: Db, id: string): Promise<void> => {
  await db
    .updateTable('task_requests')
    .set({ settled_at: sql`now()` })
    .where('id', '=', id)
    .where('settled_at', 'is', null)
    .execute()
})

/** What a person allowed with `always` for the rest of a task. */
export const alwaysAllowed = guarded(
  async (db: Db, taskId: TaskId): Promise<readonly { permission: string | null; patterns: readonly string[] }[]> => {
    const rows = await db
      .selectFrom('task_requests')
      .select(['permission', 'patterns', 'always', 'reply'])
      .where('task_id', '=', taskId)
      .where('kind', '=', 'permission')
      .where('reply', 'is not', null)
      .execute()
    return rows
      .filter((row) => row.reply?.reply === 'always')
      .map((row) => ({ permission: row.permission, patterns: [...row.patterns, ...row.always] }))
  },
)
