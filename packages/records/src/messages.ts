// The task_messages table: what callers say to a running task, kept until the session has it.

import type { MessageId, SendMessage, TaskId } from '@switchyard/contracts'
import type { Selectable } from 'kysely'
import { sql } from 'kysely'
import { type Advanced, advance } from './advance.ts'
import { guarded } from './errors.ts'
import { storable, toJson } from './json.ts'
import type { Db, MessagesTable } from './schema.ts'

export type MessageRow = Selectable<MessagesTable>

/**
 * Writes a message and its event in one transaction, if the task is still open.
 *
 * @param sourceKey - names the event's origin.
 * @returns what was written, or null when the task has ended.
 */
export const sendMessage = guarded(
  async (
    db: Db,
    id: MessageId,
    taskId: TaskId,
    sentBy: string,
    input: SendMessage,
    sourceKey?: string,
  ): Promise<Advanced | null> =>
    db.transaction().execute(async (transaction) => {
      const messageType = input.message_type ?? 'update'
      const advanced = await advance(transaction, {
        taskId,
        generation: null,
        countMessage: true,
        events: [
          {
            type: 'task_message',
            message: `${messageType} from ${sentBy}: ${input.message.slice(0, 200)}`,
            ...(sourceKey === undefined ? {} : { source_key: sourceKey }),
            data: {
              message_id: id,
              message: input.message,
              message_type: messageType,
              metadata: input.metadata ?? {},
              sent_by: sentBy,
            },
          },
        ],
      })
      if (!advanced) return null
      await transaction
        .insertInto('task_messages')
        .values({
          id,
          task_id: taskId,
          message: storable(input.message),
          message_type: messageType,
          metadata: toJson(input.metadata ?? {}),
          sent_by: sentBy,
        })
        .execute()
      return advanced
    }),
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

/** All messages that one prompt holds are delivered: the session has it. */
export const markPromptDelivered = guarded(async (db: Db, taskId: TaskId, promptId: string): Promise<void> => {
  await db
    .updateTable('task_messages')
    .set({ delivered_at: sql`now()` })
    .where('task_id', '=', taskId)
    .where('prompt_id', '=', promptId)
    .where('delivered_at', 'is', null)
    .execute()
})

/** For the messages of a prompt that the session never got: they go with another one. */
export const movePrompt = guarded(async (db: Db, taskId: TaskId, from: string, to: string): Promise<void> => {
  await db
    .updateTable('task_messages')
    .set({ prompt_id: to })
    .where('task_id', '=', taskId)
    .where('prompt_id', '=', from)
    .where('delivered_at', 'is', null)
    .execute()
})

/** The prompt of the message that the session got last; null where it has got none. */
export const lastDeliveredPrompt = guarded(async (db: Db, taskId: TaskId): Promise<string | null> => {
  const row = await db
    .selectFrom('task_messages')
    .select('prompt_id')
    .where('task_id', '=', taskId)
    .where('delivered_at', 'is not', null)
    .orderBy('delivered_at', 'desc')
    .limit(1)
    .executeTakeFirst()
  return row?.prompt_id ?? null
})

/** How many of a task's messages the session has. */
export const countDelivered = guarded(async (db: Db, taskId: TaskId): Promise<number> => {
  const row = await db
    .selectFrom('task_messages')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where('task_id', '=', taskId)
    .where('delivered_at', 'is not', null)
    .executeTakeFirstOrThrow()
  return Number(row.count)
})
