// The task_messages table: what callers say to a running task, kept until the session has it.

import type { MessageId, SendMessage, TaskId } from '@switchyard/contracts'
import type { Selectable } from 'kysely'
import { sql } from 'kysely'
import { guarded } from './errors.ts'
import { storable, toJson } from './json.ts'
import type { Db } from './records.ts'
import type { MessagesTable } from './schema.ts'

export type MessageRow = Selectable<MessagesTable>

export const insertMessage = guarded(
  async (db: Db, id: MessageId, taskId: TaskId, sentBy: string, input: SendMessage): Promise<void> => {
    await db
      .insertInto('task_messages')
      .values({
        id,
        task_id: taskId,
        message: storable(input.message),
        message_type: input.message_type ?? 'update',
        metadata: toJson(input.metadata ?? {}),
        sent_by: sentBy,
      })
      .execute()
  },
)

export const findMessage = guarded(
  async (db: Db, id: MessageId): Promise<MessageRow | undefined> =>
    db.selectFrom('task_messages').selectAll().where('id', '=', id).executeTakeFirst(),
)

/** Messages that the session does not have yet, oldest first. */
export const undeliveredMessages = guarded(
  async (db: Db, taskId: TaskId): Promise<readonly MessageRow[]> =>
    db
      .selectFrom('task_messages')
      .selectAll()
      .where('task_id', '=', taskId)
      .where('delivered_at', 'is', null)
      .orderBy('created_at')
      .orderBy('id')
      .execute(),
)

/** Fixes the OpenCode message id before the message is sent, so that a second owner finds it instead of sending again. */
export const choosePromptId = guarded(async (db: Db, id: string, promptId: string): Promise<string> => {
  const row = await db
    .updateTable('task_messages')
    .set({ prompt_id: sql`coalesce(prompt_id, ${promptId})` })
    .where('id', '=', id)
    .returning('prompt_id')
    .executeTakeFirstOrThrow()
  return row.prompt_id ?? promptId
})

export const markDelivered = guarded(async (db: Db, id: string): Promise<void> => {
  await db.updateTable('task_messages').set({ delivered_at: sql`now()` }).where('id', '=', id).execute()
})
