// Errors of working directories and their files.

import type { ErrorKind } from './kind.ts'

export const workspaceErrors = {
  file_not_found: {
    status: 404,
    retryable: false,
    hint: 'List the directory with GET /tasks/{id}/files to see what is there.',
  },
  path_outside_workspace: {
    status: 400,
    retryable: false,
    hint: "Give a path inside the task's working directory, relative to it.",
  },
  workspace_unavailable: {
    status: 409,
    retryable: true,
    hint: 'The directory is created when a worker takes the task; try again when the task is running.',
  },
  workspace_gone: {
    status: 410,
    retryable: false,
    hint: 'The working directory was removed after its retention time; the diff and the result on the record remain.',
  },
} as const satisfies Record<string, ErrorKind>
