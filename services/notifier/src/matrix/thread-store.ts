// Stores the Matrix thread of each task in the database.

import type { Thread, ThreadStore } from '@switchyard/channels/matrix'
import {
  findMatrixThread,
  keepMatrixMessage,
  keepMatrixThread,
  type MatrixThreadRow,
  type Records,
} from '@switchyard/records'

const toThread = (row: MatrixThreadRow): Thread => ({
  roomId: row.room_id,
  isOwnRoom: row.own_room,
  rootEventId: row.root_event_id,
  progressEventId: row.progress_event_id,
})

export const threadStore = ({ db }: Records): ThreadStore => ({
  find: async (taskId) => {
    const row = await findMatrixThread(db, taskId)
    return row && toThread(row)
  },
  save: async (taskId, { roomId, isOwnRoom, rootEventId, progressEventId }) =>
    toThread(
      await keepMatrixThread(db, {
        task_id: taskId,
        room_id: roomId,
        own_room: isOwnRoom,
        root_event_id: rootEventId,
        progress_event_id: progressEventId,
      }),
    ),
  saveMessage: (taskId, roomId, eventId, requestId) => keepMatrixMessage(db, { eventId, taskId, roomId, requestId }),
})
