// An event as the bytes of a server-sent event, made once for all readers of a task.

import { type EventType, isTerminal, statusSchema, type TaskDelta, type TaskEvent } from '@switchyard/contracts'

export type Frame = { readonly seq: number; readonly isLast: boolean; readonly bytes: Uint8Array }

const encoder = new TextEncoder()

/** `task_completed` and its like: no event follows. */
const isLastType = (type: EventType): boolean => {
  const status = statusSchema.safeParse(type.slice('task_'.length))
  return status.success && isTerminal(status.data)
}

export const toFrame = (event: TaskEvent): Frame => ({
  seq: event.seq,
  isLast: isLastType(event.type),
  bytes: encoder.encode(`id: ${event.seq}\nevent: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`),
})

/** Without an id: a reader that resumes has nothing to resume from here. */
export const toDeltaBytes = (delta: TaskDelta): Uint8Array =>
  encoder.encode(`event: delta\ndata: ${JSON.stringify(delta)}\n\n`)

export const commentBytes = (text: string): Uint8Array => encoder.encode(`: ${text}\n\n`)

/** Sent first: how soon a reader that lost us comes back, ms. */
export const helloBytes = (retryMs: number): Uint8Array => encoder.encode(`retry: ${retryMs}\n\n`)
