// Describes the status of a session as events: only retries of a model request become one.

import type { SessionStatus } from '@opencode-ai/sdk/v2'
import type { NewEvent } from '@switchyard/contracts'
import { boundedText, oneLine } from './text.ts'

/**
 * Returns an event for a retry, and none for busy and idle, which the messages already show. `next`, the time of the next
 * try, identifies the retry, also for a later owner of the task.
 */
export const narrateStatus = (sessionId: string, status: SessionStatus): readonly NewEvent[] => {
  if (status.type !== 'retry') return []
  return [
    {
      type: 'task_progress',
      message: oneLine(`model request failed; retrying (attempt ${status.attempt}): ${status.message}`),
      data: {
        kind: 'retry',
        attempt: status.attempt,
        error: boundedText(status.message, 2_000).text,
        next_at: new Date(status.next).toISOString(),
        session_id: sessionId,
      },
      source_key: `retry:${sessionId}:${status.attempt}:${status.next}`,
    },
  ]
}
