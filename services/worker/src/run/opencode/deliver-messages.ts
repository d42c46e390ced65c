// Delivers what callers say to a running task: each message reaches the session once.

import { setTimeout as delay } from 'node:timers/promises'
import { type ModelRef, parseModel, SwitchyardError } from '@switchyard/contracts'
import { newMessageId, type OpenCodeServer, type SessionRef } from '@switchyard/opencode'
import { choosePromptId, type MessageRow, markDelivered, undeliveredMessages } from '@switchyard/records'
import type { RunRecord } from '../run-record.ts'

/** How a prompt of this task runs. */
export type PromptOptions = {
  readonly model?: ModelRef
  readonly agent?: string
  readonly variant?: string
}

export const promptOptions = (record: RunRecord, defaultModel: string | undefined): PromptOptions => {
  const { model, agent, variant } = record.row
  const chosen = model ?? defaultModel
  const parsed = parseModel(chosen)
  return {
    ...(parsed ? { model: parsed } : {}),
    ...(agent ? { agent } : {}),
    ...(variant ? { variant } : {}),
  }
}

export const textOf = (message: MessageRow): string =>
  message.message_type === 'update'
    ? message.message
    : `[${message.message_type.replaceAll('_', ' ')}] ${message.message}`

/** A prompt is answered before its message is written: looked for this often and this long, ms. */
const WRITTEN_EVERY_MS = 20
const WRITTEN_WITHIN_MS = 5_000

/** Whether the session has the message, waited for within the limit. */
const isWritten = async (server: OpenCodeServer, place: SessionRef, messageId: string, signal: AbortSignal) => {
  const began = Date.now()
  while (!(await server.client.message({ ...place, messageId }, { signal }))) {
    if (Date.now() - began > WRITTEN_WITHIN_MS) return false
    await delay(WRITTEN_EVERY_MS, undefined, { signal })
  }
  return true
}

/**
 * Sends what is undelivered, in the order it was written. The OpenCode message id is recorded before each is sent,
 * and one that the session has already is not sent again. Delivered is what the session has.
 *
 * @returns how many the session has got now.
 */
export const deliverMessages = async (
  record: RunRecord,
  server: OpenCodeServer,
  place: SessionRef,
  options: PromptOptions,
  signal: AbortSignal,
): Promise<number> => {
  const messages = await undeliveredMessages(record.db, record.row.id)
  if (messages.length === 0) return 0
  // A message that is written before the task's own prompt would be read as something that was said before it.
  const { prompt_id: promptId } = record.row
  if (promptId !== null && !(await isWritten(server, place, promptId, signal))) return 0
  for (const message of messages) {
    const chosenBefore = message.prompt_id !== null
    const messageId = await choosePromptId(record.db, message.id, newMessageId())
    await record.refresh()
    if (!chosenBefore || !(await server.client.message({ ...place, messageId }, { signal })))
      await server.client.promptAsync({ ...place, ...options, messageId, text: textOf(message) }, { signal })
    // Until then the session still looks as if its turn had ended before the message.
    if (!(await isWritten(server, place, messageId, signal)))
      throw new SwitchyardError('opencode_unavailable', `the server took message ${messageId} and did not write it`)
    await markDelivered(record.db, message.id)
  }
  return messages.length
}
