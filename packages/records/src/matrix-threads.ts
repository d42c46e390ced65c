// The matrix_threads and matrix_messages tables: the thread of each task, and what each sent message is about.

import type { TaskId } from '@switchyard/contracts'
import { type Insertable, type Selectable, sql } from 'kysely'
import { guarded } from './errors.ts'
import type { Db, MatrixThreadsTable } from './schema.ts'

export type MatrixThreadRow = Selectable<MatrixThreadsTable>

export const findMatrixThread = guarded(
  async (db: Db, taskId: TaskId): Promise<MatrixThreadRow | undefined> =>
    db.selectFrom('matrix_threads').selectAll().where('task_id', '=', taskId).executeTakeFirst(),
)

/** What is there already stays, but for what is null: a task has one room, one root, one message of its progress. */
export const keepMatrixThread = guarded(
  async (db: Db, row: Insertable<MatrixThreadsTable>): Promise<MatrixThreadRow> => {
    const kept = await db
      .insertInto('matrix_threads')
      .values(row)
      .onConflict((conflict) =>
        conflict.column('task_id').doUpdateSet({
          root_event_id: sql<string | null>`coalesce(matrix_threads.root_event_id, excluded.root_event_id)`,
          progress_event_id: sql<string | null>`coalesce(matrix_threads.progress_event_id, excluded.progress_event_id)`,
        }),
      )
      .returningAll()
      .executeTakeFirstOrThrow()
    return kept
  },
)

export type MatrixMessage = {
  readonly eventId: string
  readonly taskId: TaskId
  readonly roomId: string
  /** The request that it asks. */
  readonly requestId: string | null
}

export const keepMatrixMessage = guarded(async (db: Db, message: MatrixMessage): Promise<void> => {
  const { eventId, taskId, roomId, requestId } = message
  await db
    .insertInto('matrix_messages')
    .values({ event_id: eventId, task_id: taskId, room_id: roomId, request_id: requestId })
    .onConflict((conflict) => conflict.column('event_id').doNothing())
    .execute()
})

/** Of what something said refers to, what is ours: a task, and a request where it is a message that asks. */
export type MatrixTarget = { readonly taskId: TaskId; readonly requestId: string | null }

/** @param eventIds - the messages that it refers to, the nearest first; without any, a room that is a task's own says which. */
export const findMatrixTarget = guarded(
  async (db: Db, roomId: string, eventIds: readonly string[]): Promise<MatrixTarget | undefined> => {
    const messages =
      eventIds.length === 0
        ? []
        : await db
            .selectFrom('matrix_messages')
            .selectAll()
            .where('room_id', '=', roomId)
            .where('event_id', 'in', eventIds)
            .execute()
    for (const id of eventIds) {
      const found = messages.find((row) => row.event_id === id)
      if (found) return { taskId: found.task_id, requestId: found.request_id }
    }
    const own = await db
      .selectFrom('matrix_threads')
      .select('task_id')
      .where('room_id', '=', roomId)
      .where('own_room', '=', true)
      .where('left_at', 'is', null)
      .executeTakeFirst()
    return own && { taskId: own.task_id, requestId: null }
  },
)

/** Rooms of their own of tasks that ended long ago, with the bot still in them. */
export const findOutlivedRooms = guarded(
  async (db: Db, endedMs: number, limit: number): Promise<readonly MatrixThreadRow[]> =>
    db
      .selectFrom('matrix_threads')
      .innerJoin('tasks', 'tasks.id', 'matrix_threads.task_id')
      .selectAll('matrix_threads')
      .where('own_room', '=', true)
      .where('left_at', 'is', null)
      .where('completed_at', '<', sql<Date>`now() - ${endedMs} * interval '1 millisecond'`)
      .limit(limit)
      .execute(),
)

export const markRoomLeft = guarded(async (db: Db, taskId: TaskId): Promise<void> => {
  await db.updateTable('matrix_threads').set({ left_at: sql<Date>`now()` }).where('task_id', '=', taskId).execute()
})
