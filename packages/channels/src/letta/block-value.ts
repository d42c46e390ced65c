// What a memory block holds of a task: a compact record as JSON, within the characters that the block has.

import type { Task, TaskEvent } from '@switchyard/contracts'
import { plainWords } from '../plain-words.ts'

/** The lengths to try, first to last: of a text, of an event's message, and how many of the last events. */
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
  asked: plainWords(task.task_description, Math.min(text, 300)),
  ...(task.branch === null ? {} : { branch: task.branch }),
  ...(task.error ? { error: { code: task.error.code, message: plainWords(task.error.message, text) } } : {}),
  ...(task.requests.length === 0
    ? {}
    : {
        requests: task.requests
          .slice(0, 3)
          .map(({ request_id, title }) => ({ request_id, title: plainWords(title, Math.min(text, 200)) })),
      }),
  ...(task.result
    ? {
        result: {
          output: plainWords(task.result.output, text),
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
    message: plainWords(event.message, message),
  })),
})

/** How many of a task's last events `blockValue` looks at, at most. */
export const BLOCK_EVENTS = SIZES[0].events

/**
 * Without secrets and without what files hold.
 *
 * @param events - the last of the task, in order.
 * @param limit - characters; a block has 1,000 at least.
 */
export const blockValue = (task: Task, events: readonly TaskEvent[], limit: number): string => {
  let value = ''
  for (const size of SIZES) {
    value = JSON.stringify(record(task, events, size))
    if (value.length <= limit) return value
  }
  return JSON.stringify({ task_id: task.task_id, status: task.status }).slice(0, limit)
}
