// Errors of what Switchyard runs on: services, disk, configuration.

import type { ErrorKind } from './kind.ts'

export const infrastructureErrors = {
  worker_unavailable: {
    status: 503,
    retryable: true,
    hint: 'No suitable worker is running; check GET /ready, then try again.',
  },
  opencode_unavailable: {
    status: 503,
    retryable: true,
    hint: "The OpenCode server does not answer; check GET /ready and the server's log, then try again.",
  },
  opencode_error: {
    status: 502,
    retryable: true,
    hint: 'The OpenCode server refused or aborted a call; its message says why.',
  },
  queue_unavailable: {
    status: 503,
    retryable: true,
    hint: 'The queue does not answer; check REDIS_URL and the service behind it, then try again.',
  },
  database_unavailable: {
    status: 503,
    retryable: true,
    hint: 'The database does not answer; check DATABASE_URL and the service behind it, then try again.',
  },
  disk_full: { status: 507, retryable: true, hint: 'Free space on the device that holds the data and try again.' },
  directory_unwritable: {
    status: 507,
    retryable: true,
    hint: 'Give the user that runs Switchyard write access to the directory that the message names.',
  },
  configuration_invalid: {
    status: 500,
    retryable: false,
    hint: 'Correct the variables that the message names; docs/configuration.md explains each.',
  },
  address_in_use: { status: 500, retryable: false, hint: 'Stop the other program or choose another port with PORT.' },
  home_in_use: {
    status: 500,
    retryable: false,
    hint: 'Another Switchyard uses this data directory; stop it or set SWITCHYARD_HOME to another one.',
  },
  internal_error: {
    status: 500,
    retryable: true,
    hint: 'This is a bug in Switchyard; the log has the details under the same request id.',
  },
} as const satisfies Record<string, ErrorKind>
