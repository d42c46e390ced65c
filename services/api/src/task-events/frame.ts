// A task event as the bytes of a server-sent event, formatted once for all readers of the task.

import { type EventType, isTerminal, statusSchema, type TaskDelta, type TaskEvent } from '@switchyard/contracts'
import { formatEvent } from '../sse/format.ts'

export type Frame = { readonly seq: number; readonly isLast: boolean; readonly bytes: Uint8Array }

/** Returns whether events of this type end a task: `task_completed` and its kind. */
const isLastType = (type: EventType): boolean => {
  const status = statusSchema.safeParse(type.slice('task_'.length))
  return status.success && isTerminal(status.data)
}

export const toFrame = (event: TaskEvent): Frame => ({
  seq: event.seq,
  isLast: isLastType(event.type),
  bytes: formatEvent({ id: event.seq, event: event.type, data: event }),
})

/** Deltas have no id, because they are not stored and a reader cannot resume from them. */
export const toDeltaBytes = (delta: TaskDelta): Uint8Array => formatEvent({ event: 'delta', data: delta })
