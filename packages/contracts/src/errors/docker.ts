// Errors of Docker mode.

import type { ErrorKind } from './kind.ts'

export const dockerErrors = {
  docker_unavailable: {
    status: 503,
    retryable: true,
    hint: 'The Docker engine does not answer; check DOCKER_HOST and the daemon behind it. Running tasks wait for it.',
  },
  runner_image_missing: {
    status: 422,
    retryable: false,
    hint: 'Build or pull the image on the Docker host, or name another one in RUNNER_IMAGE.',
  },
  runner_image_invalid: {
    status: 422,
    retryable: false,
    hint: 'RUNNER_IMAGE needs /bin/sh and opencode on its PATH; Dockerfile.opencode builds such an image.',
  },
  container_failed: {
    status: 502,
    retryable: true,
    hint: "The task's container ended without an answer; the message contains its exit code and last output.",
  },
  container_gone: {
    status: 502,
    retryable: true,
    hint: "Something else removed the task's container; check who has access to the Docker engine.",
  },
  container_out_of_memory: { status: 507, retryable: false, hint: 'Raise RUNNER_MEMORY_LIMIT, or split the task.' },
  container_disk_full: { status: 507, retryable: false, hint: 'Raise RUNNER_DISK_LIMIT, or let the task write less.' },
  container_silent: {
    status: 504,
    retryable: true,
    hint: 'The container printed nothing; check that it reaches the model provider (RUNNER_PROXY, EGRESS_ALLOW).',
  },
} as const satisfies Record<string, ErrorKind>
