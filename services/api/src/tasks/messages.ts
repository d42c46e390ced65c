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
import { findMessage, sendMessage } from '@switchyard/records'
import type { Caller } from '../caller.ts'
import { findOwnTask } from './access.ts'
import type { TaskDeps } from './deps.ts'
import { until } from './until.ts'

/** How long the answer waits to learn that the session has the message, ms. */
const DELIVERY_MS = 3_000
const EVERY_MS = 100

const HAS_SESSION: readonly Status[] = ['running', 'input_required']

const isDelivered = async (deps: TaskDeps, id: TaskId, messageId: MessageId, signal: AbortSignal | undefined) =>
  (await until({ id, feeds: deps.feeds, timeoutMs: DELIVERY_MS, everyMs: EVERY_MS, signal }, async () => {
    const message = await findMessage(deps.records.db, messageId)
    return message?.delivered_at ? true : undefined
  })) ?? false

/** @throws SwitchyardError `task_not_found`, `task_ended`, `database_unavailable` */
export const message = async (
  deps: TaskDeps,
  caller: Caller,
  id: string,
  input: SendMessage,
  signal: AbortSignal | undefined,
): Promise<SentMessage> => {
  const row = await findOwnTask(deps.records, caller, id)
  const messageId = newMessageId()
  const sent = await sendMessage(deps.records.db, messageId, row.id, caller.agentId ?? caller.name, input)
  if (!sent) throw new SwitchyardError('task_ended', `${row.id} has ended: it takes no more messages`)
  deps.bus.publishTask(row.id, { kind: 'events', events: sent.events })
  deps.bus.publishCommand({ kind: 'message', task_id: row.id })
  const delivered = HAS_SESSION.includes(sent.task.status) && (await isDelivered(deps, row.id, messageId, signal))
  return { task_id: row.id, message_id: messageId, delivered }
}
