// The status of a session as events: a model that is asked again, and nothing else.

import type { SessionStatus } from '@opencode-ai/sdk/v2'
import type { NewEvent } from '@switchyard/contracts'
import { bounded, oneLine } from './text.ts'

/**
 * A retry as an event; busy and idle say nothing that the messages do not say better.
 * `next` is the time of the next try and tells one retry from another, also for a later owner of the task.
 */
export const narrateStatus = (sessionId: string, status: SessionStatus): readonly NewEvent[] => {
  if (status.type !== 'retry') return []
  return [
    {
      type: 'task_progress',
      message: oneLine(`model is retrying (attempt ${status.attempt}): ${status.message}`),
      data: {
        kind: 'retry',
        attempt: status.attempt,
        error: bounded(status.message, 2_000).text,
        next_at: new Date(status.next).toISOString(),
        session_id: sessionId,
      },
      source_key: `retry:${sessionId}:${status.attempt}:${status.next}`,
    },
  ]
}
