// The content of a memory block: a compact record of a task as JSON, within the limit of the block.

import type { Task, TaskEvent } from '@switchyard/contracts'
import { redact } from '../redact.ts'

/** Sizes to try in order: characters of a text and of an event's message, and the number of events. */
const SIZES = [
  { text: 1_500, message: 200, events: 10 },
  { text: 600, message: 100, events: 5 },
  { text: 200, message: 60, events: 2 },
  { text: 60, message: 0, events: 0 },
] as const

type Size = (typeof SIZES)[number]

const record = (task: Task, events: readonly TaskEvent[], { text, message, events: count }: Size) => ({
  task_id: task.task_id,
  status: task.status,
  updated_at: task.updated_at,
  asked: redact(task.task_description, Math.min(text, 300)),
  ...(task.branch === null ? {} : { branch: task.branch }),
  ...(task.error ? { error: { code: task.error.code, message: redact(task.error.message, text) } } : {}),
  ...(task.requests.length === 0
    ? {}
    : {
        requests: task.requests
          .slice(0, 3)
          .map(({ request_id, title }) => ({ request_id, title: redact(title, Math.min(text, 200)) })),
      }),
  ...(task.result
    ? {
        result: {
          output: redact(task.result.output, text),
          files_changed: task.result.files_changed.slice(0, count),
          files: task.result.files_changed.length,
          additions: task.result.additions,
          deletions: task.result.deletions,
          cost: task.result.cost,
        },
      }
    : {}),
  last_events: (count === 0 ? [] : events.slice(-count)).map((event) => ({
    seq: event.seq,
    type: event.type,
    at: event.timestamp,
    message: redact(event.message, message),
  })),
})

/** The number of events that `blockValue` uses at most. */
export const BLOCK_EVENTS = SIZES[0].events

/**
 * Returns the record of a task as JSON, without secrets and file contents.
 *
 * @param events - the last events of the task, in order.
 * @param limit - size of the block, in characters; at least 1,000.
 */
export const blockValue = (task: Task, events: readonly TaskEvent[], limit: number): string => {
  let value = ''
  for (const size of SIZES) {
    value = JSON.stringify(record(task, events, size))
    if (value.length <= limit) return value
  }
  return JSON.stringify({ task_id: task.task_id, status: task.status }).slice(0, limit)
}
