// Handles a message or reaction from a person, and replies in the same place.

import { type Homeserver, type IncomingEvent, plain, sendReply } from '@switchyard/channels/matrix'
import { isSwitchyardError } from '@switchyard/contracts'
import { findMatrixThread, keepMatrixMessage, type Records } from '@switchyard/records'
import type { Logger } from 'pino'
import type { CommandResult, MatrixCommands } from './matrix-commands.ts'

export type HandlingDeps = {
  readonly homeserver: Homeserver
  readonly records: Records
  readonly commands: MatrixCommands
  readonly logger: Logger
}

/**
 * Runs what the event asks for, then sends the reply. A reply that cannot be sent is dropped: the command
 * has run, and its result appears in the thread as an event.
 *
 * @throws SwitchyardError `database_unavailable` if the command may not have run
 */
export const handleEvent = async (deps: HandlingDeps, event: IncomingEvent, signal: AbortSignal): Promise<void> => {
  const { logger } = deps
  const facts = { room_id: event.roomId, event_id: event.eventId, sender: event.sender }
  const result = await deps.commands.run(event).catch((error: unknown): CommandResult => {
    if (isSwitchyardError(error, 'database_unavailable')) throw error
    // One event that fails must not block all later ones.
    logger.error({ ...facts, err: error }, 'failed to handle a Matrix event')
    return { target: undefined, reply: { text: plain('An error occurred. See the log of the notifier.') } }
  })
  if (!result.target && !result.reply) return
  logger.info({ ...facts, task_id: result.target?.taskId }, 'Matrix event handled')
  const problem = await reply(deps, event, result, signal)
  // If the process is stopping, the next notifier receives the event again and replies.
  signal.throwIfAborted()
  if (problem !== undefined) logger.warn({ ...facts, err: problem }, 'failed to send a Matrix reply')
}

/** @returns why the reply could not be sent. */
const reply = async (
  { homeserver, records: { db } }: HandlingDeps,
  event: IncomingEvent,
  { target, reply: message }: CommandResult,
  signal: AbortSignal,
): Promise<string | undefined> => {
  if (!message) return undefined
  const thread = target && (await findMatrixThread(db, target.taskId))
  const rootEventId = thread?.own_room ? null : thread?.root_event_id
  const position = rootEventId ? { rootEventId, replyTo: event.eventId } : null
  const sent = await sendReply(homeserver, event.roomId, event.eventId, position, message, signal)
  if (sent.kind === 'failed') return sent.message
  if (target)
    await keepMatrixMessage(db, {
      eventId: sent.eventId,
      taskId: target.taskId,
      roomId: event.roomId,
      requestId: null,
    })
  return undefined
}
