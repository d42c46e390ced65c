// Leaves the rooms of tasks that ended long ago, so that the number of the bot's rooms does not grow with every task.

import { deadlineIn, failureOf, type Homeserver } from '@switchyard/channels/matrix'
import { findOutlivedRooms, markRoomLeft, type Records } from '@switchyard/records'
import type { Logger } from 'pino'

/** Limit of one call, ms. */
const CALL_MS = 30_000

type Deps = { readonly homeserver: Homeserver; readonly records: Records; readonly logger: Logger }

/**
 * Leaves the rooms of tasks that ended at least `endedMs` ago. The people in a room stay in it.
 *
 * @param limit - number of rooms.
 * @throws SwitchyardError `database_unavailable`
 */
export const leaveOldRooms = async (deps: Deps, endedMs: number, limit: number): Promise<void> => {
  const { homeserver, records, logger } = deps
  for (const { task_id: taskId, room_id: roomId } of await findOutlivedRooms(records.db, endedMs, limit)) {
    try {
      await homeserver.leave(roomId, deadlineIn(CALL_MS))
    } catch (error) {
      const { isUnreachable, retryAfterMs, message } = failureOf(error, CALL_MS)
      // The next round retries. A room that the bot cannot leave, because it no longer exists, counts as left.
      if (isUnreachable || retryAfterMs !== null) return
      logger.debug({ task_id: taskId, room_id: roomId, err: message }, 'Matrix room does not exist or was left before')
    }
    await markRoomLeft(records.db, taskId)
  }
}
