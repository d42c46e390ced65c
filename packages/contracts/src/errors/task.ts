// Errors of tasks: their arguments, controls, requests, and how they end.

import type { ErrorKind } from './kind.ts'

export const taskErrors = {
  task_not_found: {
    status: 404,
    retryable: false,
    hint: 'Check the task id; GET /tasks lists the tasks that your key may see.',
  },
  request_not_found: {
    status: 404,
    retryable: false,
    hint: 'Read the task: `requests` lists those that still wait for an answer.',
  },
  request_already_answered: { status: 409, retryable: false, hint: 'Nothing to do: the first answer counts.' },
  idempotency_conflict: {
    status: 409,
    retryable: false,
    hint: 'Use a new idempotency_key for a different task, or repeat the first body.',
  },
  task_ended: { status: 409, retryable: false, hint: 'The task has ended and never changes again; start a new one.' },
  control_not_possible: {
    status: 409,
    retryable: false,
    hint: "Read the task's status; `outcome` says what the control could not do.",
  },
  events_expired: {
    status: 410,
    retryable: false,
    hint: 'Read again from the oldest stored event; the message names it.',
  },
  task_timeout: {
    status: 504,
    retryable: true,
    hint: 'The task ran past its timeout_ms; give it more time or a smaller goal.',
  },
  task_stuck: {
    status: 504,
    retryable: true,
    hint: 'The task made no progress for too long and was stopped; start it again with a smaller goal.',
  },
  attempts_exhausted: {
    status: 500,
    retryable: true,
    hint: "The task was interrupted too often; check the servers' health and start it again.",
  },
  server_killed: {
    status: 500,
    retryable: false,
    hint: "The task's own commands end its OpenCode server; change the task so that they do not.",
  },
  request_rejected: {
    status: 409,
    retryable: false,
    hint: 'A permission that the task needed was rejected; start it again with other permissions.',
  },
  queue_full: { status: 429, retryable: true, hint: 'Wait until tasks end, or raise the limits.' },
  stale_owner: {
    status: 409,
    retryable: false,
    hint: 'Another worker owns this task now; this one writes nothing more.',
  },
} as const satisfies Record<string, ErrorKind>
