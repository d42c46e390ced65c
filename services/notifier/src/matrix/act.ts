// Obeys what was heard, and answers it where it was said.

import { answerIn, type Heard, type Homeserver, text } from '@switchyard/channels/matrix'
import { isSwitchyardError } from '@switchyard/contracts'
import { findMatrixThread, keepMatrixMessage, type Records } from '@switchyard/records'
import type { Logger } from 'pino'
import type { Obedience, Obeyed } from './obey.ts'

export type ActDeps = {
  readonly homeserver: Homeserver
  readonly records: Records
  readonly obedience: Obedience
  readonly logger: Logger
}

/**
 * An answer that does not arrive is let go: what was asked for is done, and told in the thread as it happens.
 *
 * @throws SwitchyardError `database_unavailable`: it may not be done yet.
 */
export const act = async (deps: ActDeps, heard: Heard, signal: AbortSignal): Promise<void> => {
  const { logger } = deps
  const facts = { room_id: heard.roomId, event_id: heard.eventId, sender: heard.sender }
  const obeyed = await deps.obedience.obey(heard).catch((error: unknown): Obeyed => {
    if (isSwitchyardError(error, 'database_unavailable')) throw error
    // A mistake of ours must not keep everybody else from being heard.
    logger.error({ ...facts, err: error }, 'what was said in Matrix could not be done')
    return { target: undefined, answer: { wording: text('That did not work; the log of the notifier says why.') } }
  })
  if (!obeyed.target && !obeyed.answer) return
  logger.info({ ...facts, task_id: obeyed.target?.taskId }, 'heard in Matrix')
  const problem = await answer(deps, heard, obeyed, signal)
  // Cut off by the end of this process: heard again by the next one, it is answered there.
  signal.throwIfAborted()
  if (problem !== undefined) logger.warn({ ...facts, err: problem }, 'an answer in Matrix did not arrive')
}

/** @returns why it did not arrive. */
const answer = async (
  { homeserver, records: { db } }: ActDeps,
  heard: Heard,
  { target, answer: back }: Obeyed,
  signal: AbortSignal,
): Promise<string | undefined> => {
  if (!back) return undefined
  const thread = target && (await findMatrixThread(db, target.taskId))
  const rootEventId = thread?.own_room ? null : thread?.root_event_id
  const place = rootEventId ? { rootEventId, replyTo: heard.eventId } : null
  const sent = await answerIn(homeserver, heard.roomId, heard.eventId, place, back, signal)
  if (sent.kind === 'failed') return sent.message
  if (target)
    await keepMatrixMessage(db, {
      eventId: sent.eventId,
      taskId: target.taskId,
      roomId: heard.roomId,
      requestId: null,
    })
  return undefined
}
