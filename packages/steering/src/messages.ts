// Messages that steer a task: kept first, then given to the session by its worker.

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
import type { Speaker, SteeringDeps } from './deps.ts'

/** How long the answer waits to learn that the session has the message, ms. */
const DELIVERY_MS = 3_000
const EVERY_MS = 100

const HAS_SESSION: readonly Status[] = ['running', 'input_required']

const isDelivered = async ({ records, wait }: SteeringDeps, id: TaskId, messageId: MessageId) =>
  (await wait(id, { timeoutMs: DELIVERY_MS, everyMs: EVERY_MS }, async () => {
    const message = await findMessage(records.db, messageId)
    return message?.delivered_at ? true : undefined
  })) ?? false

/**
 * @param messageId - one that is there already is refused, and nothing told.
 * @throws SwitchyardError `task_ended`, `database_unavailable`
 */
export const sendTaskMessage = async (
  deps: SteeringDeps,
  { by, sourceKey }: Speaker,
  row: TaskRow,
  input: SendMessage,
  messageId: MessageId = newMessageId(),
): Promise<SentMessage> => {
  const sent = await sendMessage(deps.records.db, messageId, row.id, by, input, sourceKey)
  if (!sent) throw new SwitchyardError('task_ended', `${row.id} has ended: it takes no more messages`)
  deps.bus.publishTask(row.id, { kind: 'events', events: sent.events })
  deps.bus.publishCommand({ kind: 'message', task_id: row.id })
  const delivered = HAS_SESSION.includes(sent.task.status) && (await isDelivered(deps, row.id, messageId))
  return { task_id: row.id, message_id: messageId, delivered }
}
