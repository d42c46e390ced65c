// Errors of projects and their sandboxes.

import type { ErrorKind } from './kind.ts'

export const projectErrors = {
  project_not_found: {
    status: 404,
    retryable: false,
    hint: 'Register it first: opencode_project_start, or POST /project/init; the list shows projects that your key may see.',
  },
  project_exists: {
    status: 409,
    retryable: false,
    hint: 'One repository is one project: use the existing one, or destroy it first.',
  },
  project_not_ready: {
    status: 409,
    retryable: true,
    hint: 'Start the project (opencode_project_start) and repeat the call when it is ready; its status says what is missing.',
  },
  project_busy: {
    status: 409,
    retryable: true,
    hint: 'Tasks or sessions are working in it; wait for them, cancel them, or repeat the call with force.',
  },
  sandbox_not_found: { status: 404, retryable: false, hint: "List the project's sandboxes." },
  sandbox_exists: { status: 409, retryable: false, hint: 'Choose another name, or use the existing sandbox.' },
  sandbox_failed: {
    status: 422,
    retryable: false,
    hint: 'Fix the start command; the message contains its last output. The sandbox was removed.',
  },
} as const satisfies Record<string, ErrorKind>
