// Errors of sessions.

import type { ErrorKind } from './kind.ts'

export const sessionErrors = {
  session_not_found: { status: 404, retryable: false, hint: "List the project's sessions." },
  session_busy: {
    status: 409,
    retryable: true,
    hint: 'A turn is running in the session: wait until it is idle, or abort it first.',
  },
  session_of_task: {
    status: 409,
    retryable: false,
    hint: 'The session belongs to a task that has not ended: use send_task_message, send_task_control or reply_task_request.',
  },
  message_not_found: { status: 404, retryable: false, hint: "List the session's messages." },
  sharing_unavailable: {
    status: 503,
    retryable: true,
    hint: "Sharing uses OpenCode's public service: the server must be allowed to share and must reach it.",
  },
  session_lost: {
    status: 502,
    retryable: true,
    hint: 'The OpenCode session of this task no longer exists on its server; start the task again.',
  },
} as const satisfies Record<string, ErrorKind>
