// Sends a message to a task: it is recorded first, then the task's worker delivers it to the session.

import {
  type MessageId,
  newMessageId,
  type SendMessage,
  type SentMessage,
  type Status,
  SwitchyardError,
  type TaskId,
} from '@switchyard/contracts'
import { findMessage, sendMessage, type TaskRow } from '@switchyard/records'
import type { Actor, SteeringDeps } from './types.ts'

/** How long the call waits for the delivery to the session, ms. */
const DELIVERY_MS = 3_000
const EVERY_MS = 100

const HAS_SESSION: readonly Status[] = ['running', 'input_required']

const waitForDelivery = async ({ records, wait }: SteeringDeps, id: TaskId, messageId: MessageId): Promise<boolean> =>
  (await wait(id, { timeoutMs: DELIVERY_MS, everyMs: EVERY_MS }, async () => {
    const message = await findMessage(records.db, messageId)
    return message?.delivered_at ? true : undefined
  })) ?? false

/**
 * Sends a message to a task that has not ended.
 *
 * @param messageId - default: a new id. An id that is already recorded is an error, and no event is recorded.
 * @returns `delivered`: whether the session has the message already; if not, the worker delivers it later
 * @throws SwitchyardError `task_ended`, `database_unavailable`
 */
export const sendTaskMessage = async (
  deps: SteeringDeps,
  { by, sourceKey }: Actor,
  row: TaskRow,
  input: SendMessage,
  messageId: MessageId = newMessageId(),
): Promise<SentMessage> => {
  const sent = await sendMessage(deps.records.db, messageId, row.id, by, input, sourceKey)
  if (!sent) throw new SwitchyardError('task_ended', `${row.id} has ended and accepts no more messages`)
  deps.bus.publishTask(row.id, { kind: 'events', events: sent.events })
  deps.bus.publishCommand({ kind: 'message', task_id: row.id })
  const delivered = HAS_SESSION.includes(sent.task.status) && (await waitForDelivery(deps, row.id, messageId))
  return { task_id: row.id, message_id: messageId, delivered }
}
