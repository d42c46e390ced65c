// Delivers what callers say to a running task: each message reaches the session once.

import { newMessageId, type OpenCodeServer, type SessionRef } from '@switchyard/opencode'
import { choosePromptId, type MessageRow, markDelivered, undeliveredMessages } from '@switchyard/records'
import type { RunRecord } from './record.ts'

/** How a prompt of this task runs. */
export type PromptOptions = {
  readonly model?: { providerID: string; modelID: string }
  readonly agent?: string
  readonly variant?: string
}

export const promptOptions = (record: RunRecord, defaultModel: string | undefined): PromptOptions => {
  const { model, agent, variant } = record.row
  const chosen = model ?? defaultModel
  const slash = chosen?.indexOf('/') ?? -1
  return {
    ...(chosen && slash > 0 ? { model: { providerID: chosen.slice(0, slash), modelID: chosen.slice(slash + 1) } } : {}),
    ...(agent ? { agent } : {}),
    ...(variant ? { variant } : {}),
  }
}

export const textOf = (message: MessageRow): string =>
  message.message_type === 'update'
    ? message.message
    : `[${message.message_type.replaceAll('_', ' ')}] ${message.message}`

/**
 * Sends what is undelivered, in the order it was written. The OpenCode message id is recorded before each is sent,
 * and one that the session has already is not sent again.
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
  for (const message of messages) {
    const chosenBefore = message.prompt_id !== null
    const messageId = await choosePromptId(record.db, message.id, newMessageId())
    await record.refresh()
    if (!chosenBefore || !(await server.client.message({ ...place, messageId }, { signal })))
      await server.client.promptAsync({ ...place, ...options, messageId, text: textOf(message) }, { signal })
    await markDelivered(record.db, message.id)
  }
  return messages.length
}
