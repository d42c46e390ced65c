// Leaves the rooms of tasks that ended long ago: the bot would be in more of them with every task. People stay in them.

import { failureOf, type Homeserver, within } from '@switchyard/channels/matrix'
import { findOutlivedRooms, markRoomLeft, type Records } from '@switchyard/records'
import type { Logger } from 'pino'

/** One call has so long, ms. */
const CALL_MS = 30_000

type Deps = { readonly homeserver: Homeserver; readonly records: Records; readonly logger: Logger }

/** @param endedMs - how long after its end a task keeps its room. @throws SwitchyardError `database_unavailable` */
export const leaveOutlivedRooms = async (deps: Deps, endedMs: number, limit: number): Promise<void> => {
  const { homeserver, records, logger } = deps
  for (const { task_id: taskId, room_id: roomId } of await findOutlivedRooms(records.db, endedMs, limit)) {
    try {
      await homeserver.leave(roomId, within(CALL_MS))
    } catch (error) {
      const { isUnreachable, retryAfterMs, message } = failureOf(error, CALL_MS)
      // The next round tries again. A room that cannot be left, because it is gone, counts as left.
      if (isUnreachable || retryAfterMs !== null) return
      logger.debug({ task_id: taskId, room_id: roomId, err: message }, 'a Matrix room was left already')
    }
    await markRoomLeft(records.db, taskId)
  }
}
