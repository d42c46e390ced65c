// Delivers callers' messages to the session of a running task, each of them once.

import { setTimeout as delay } from 'node:timers/promises'
import { SwitchyardError } from '@switchyard/contracts'
import { newMessageId } from '@switchyard/opencode'
import { choosePromptId, markDelivered, undeliveredMessages } from '@switchyard/records'
import { messageText } from '../prompt-texts.ts'
import { sendOnce } from './send-prompt.ts'
import type { TaskSession } from './task-session.ts'

/**
 * OpenCode accepts a prompt before it stores the message; how often and how long to look for the
 * message, ms.
 */
const STORED_POLL_MS = 20
const STORED_TIMEOUT_MS = 5_000

/** Waits for a message to be stored. @returns false after the time limit. */
const isStored = async ({ server, ref, signal }: TaskSession, messageId: string): Promise<boolean> => {
  const began = Date.now()
  while (!(await server.client.message({ ...ref, messageId }, { signal }))) {
    if (Date.now() - began > STORED_TIMEOUT_MS) return false
    await delay(STORED_POLL_MS, undefined, { signal })
  }
  return true
}

/**
 * Sends the undelivered messages in the order in which callers wrote them. The OpenCode message id
 * is recorded before a message is sent, so a message that the session has already is not sent
 * again. A message counts as delivered once the session has stored it.
 *
 * @returns the number of messages delivered.
 */
export const deliverMessages = async (session: TaskSession): Promise<number> => {
  const { record } = session
  const messages = await undeliveredMessages(record.db, record.row.id)
  if (messages.length === 0) return 0
  // The agent would read a message that is stored before the task's own prompt as something said
  // before the task.
  const { prompt_id: promptId } = record.row
  if (promptId !== null && !(await isStored(session, promptId))) return 0
  for (const message of messages) {
    const mayBeSent = message.prompt_id !== null
    const messageId = await choosePromptId(record.db, message.id, newMessageId())
    await record.refresh()
    await sendOnce(session, { messageId, text: messageText(message) }, mayBeSent)
    // Until the message is stored, the session looks as if its turn had ended before it.
    if (!(await isStored(session, messageId)))
      throw new SwitchyardError('opencode_unavailable', `the server accepted message ${messageId} and did not store it`)
    await markDelivered(record.db, message.id)
  }
  return messages.length
}
