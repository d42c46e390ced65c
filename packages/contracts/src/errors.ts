// Every failure a caller can meet: its code, its HTTP status, whether trying again helps, and what to do about it.

import { z } from 'zod'

/** What a code means to the caller. `retryable`: the same call may succeed later without any change. */
type ErrorKind = { readonly status: ErrorStatus; readonly retryable: boolean; readonly hint: string }

type ErrorStatus = 400 | 401 | 403 | 404 | 405 | 408 | 409 | 410 | 413 | 415 | 422 | 429 | 500 | 502 | 503 | 504 | 507

export const ERRORS = {
  invalid_request: {
    status: 400,
    retryable: false,
    hint: 'Correct the fields that the message names and send the call again.',
  },
  malformed_json: {
    status: 400,
    retryable: false,
    hint: 'Send a body that is valid JSON, with Content-Type: application/json.',
  },
  payload_too_large: {
    status: 413,
    retryable: false,
    hint: 'Make the body smaller; put long material into a file of the repository and name it in the description.',
  },
  unsupported_media_type: { status: 415, retryable: false, hint: 'Send Content-Type: application/json.' },
  unauthorized: {
    status: 401,
    retryable: false,
    hint: 'Send Authorization: Bearer <token> with a token of SWITCHYARD_API_KEYS.',
  },
  forbidden: { status: 403, retryable: false, hint: 'Use a key whose role allows this call.' },
  origin_not_allowed: {
    status: 403,
    retryable: false,
    hint: 'Without API keys only loopback clients are served; set SWITCHYARD_API_KEYS to serve others.',
  },
  not_found: { status: 404, retryable: false, hint: 'GET /openapi.json lists every route.' },
  method_not_allowed: { status: 405, retryable: false, hint: 'GET /openapi.json lists the methods of every route.' },
  task_not_found: {
    status: 404,
    retryable: false,
    hint: 'Check the task id; GET /tasks lists the tasks that your key may see.',
  },
  request_not_found: {
    status: 404,
    retryable: false,
    hint: 'Read the task: its `requests` are the ones that still wait for an answer.',
  },
  request_already_answered: { status: 409, retryable: false, hint: 'Nothing to do: the first answer counts.' },
  webhook_not_found: {
    status: 404,
    retryable: false,
    hint: 'Check the webhook’s id; GET /webhooks lists those that your key made.',
  },
  delivery_not_found: {
    status: 404,
    retryable: false,
    hint: 'Check the delivery’s id; GET /deliveries lists those that your key may see.',
  },
  already_delivered: { status: 409, retryable: false, hint: 'Nothing to do: the target answered that it has it.' },
  file_not_found: {
    status: 404,
    retryable: false,
    hint: 'List the directory with GET /tasks/{id}/files to see what is there.',
  },
  path_outside_workspace: {
    status: 400,
    retryable: false,
    hint: 'Give a path relative to the task’s working directory, without leaving it.',
  },
  workspace_unavailable: {
    status: 409,
    retryable: true,
    hint: 'The working directory is made when a worker takes the task; try again when the task is running.',
  },
  workspace_gone: {
    status: 410,
    retryable: false,
    hint: 'The working directory was removed after its retention time; the diff and the result on the record remain.',
  },
  idempotency_conflict: {
    status: 409,
    retryable: false,
    hint: 'Use a new idempotency_key for a different task, or send the first body again.',
  },
  task_ended: { status: 409, retryable: false, hint: 'The task has ended and never changes again; start a new one.' },
  control_not_possible: {
    status: 409,
    retryable: false,
    hint: 'Read the task’s status; `outcome` says what the control could not do.',
  },
  events_expired: {
    status: 410,
    retryable: false,
    hint: 'Read again from the oldest event that is kept; the message names it.',
  },
  invalid_model: {
    status: 400,
    retryable: false,
    hint: 'Write the model as provider/model, for example anthropic/claude-sonnet-4-5.',
  },
  model_not_found: {
    status: 422,
    retryable: false,
    hint: 'Name a model of a provider that is configured on the OpenCode server; GET /health lists the providers.',
  },
  agent_not_found: {
    status: 422,
    retryable: false,
    hint: 'Name an agent that OpenCode knows in this directory, such as build or plan.',
  },
  no_model_configured: {
    status: 422,
    retryable: false,
    hint: 'Give `model`, set DEFAULT_MODEL, or configure a provider for the OpenCode server.',
  },
  invalid_project: {
    status: 400,
    retryable: false,
    hint: 'Give an https, ssh or file URL, or an absolute local path, of a git repository.',
  },
  repository_unavailable: {
    status: 422,
    retryable: true,
    hint: 'Check that the URL is right, that the host is up, and that the worker may read the repository.',
  },
  repository_not_found: {
    status: 422,
    retryable: false,
    hint: 'Check the URL or path: there is no git repository there that the worker may read.',
  },
  repository_access_denied: {
    status: 422,
    retryable: false,
    hint: 'Give the worker access to the repository (a deploy key or a token), then start the task again.',
  },
  host_key_unknown: {
    status: 422,
    retryable: false,
    hint: 'Compare the host’s key with the one its operator publishes and add it to known_hosts in SWITCHYARD_HOME (ssh-keyscan prints it), or set GIT_SSH_TRUST_NEW_HOSTS=true.',
  },
  host_key_changed: {
    status: 422,
    retryable: false,
    hint: 'Someone may be between Switchyard and the host: nothing was sent. Ask the host’s operator; only if the key was really replaced, take the old one out of known_hosts in SWITCHYARD_HOME.',
  },
  deploy_key_invalid: {
    status: 400,
    retryable: false,
    hint: 'Name a private ssh key by its absolute path, without a passphrase, that the worker can read and nobody else can (chmod 600).',
  },
  branch_diverged: {
    status: 409,
    retryable: false,
    hint: 'The branch on the remote has commits that are not in this work: publish to another branch, or merge them first; force replaces them.',
  },
  push_rejected: {
    status: 422,
    retryable: false,
    hint: 'The remote refused the branch, and the message has its words: choose a branch that is not protected, or change the rule there.',
  },
  work_would_be_lost: {
    status: 409,
    retryable: false,
    hint: 'Publish or discard the work that the message names, or set force: it is bundled then before it goes.',
  },
  repository_empty: { status: 422, retryable: false, hint: 'The repository has no commit yet; push a first commit.' },
  branch_not_found: {
    status: 422,
    retryable: false,
    hint: 'Name a branch, tag or commit that exists in the repository as base_branch.',
  },
  branch_in_use: {
    status: 409,
    retryable: false,
    hint: 'Another task works on that branch; choose another `branch` or leave it out.',
  },
  invalid_bundle: {
    status: 422,
    retryable: false,
    hint: 'Send a git bundle that has refs/switchyard/head, as `switchyard migrate` makes it.',
  },
  bundle_incomplete: {
    status: 422,
    retryable: false,
    hint: 'Send a bundle with the whole history: git bundle create <file> <ref>, without ^commits.',
  },
  worktree_has_work: {
    status: 409,
    retryable: false,
    hint: 'Make a new sandbox and import into that one.',
  },
  invalid_branch: {
    status: 400,
    retryable: false,
    hint: 'Use a name that git accepts for a branch (git check-ref-format).',
  },
  project_not_found: {
    status: 404,
    retryable: false,
    hint: 'Register it first: opencode_project_start, or POST /project/init; the list shows those that your key may see.',
  },
  project_exists: {
    status: 409,
    retryable: false,
    hint: 'One repository is one project: read the one that is there, or destroy it first.',
  },
  project_not_ready: {
    status: 409,
    retryable: true,
    hint: 'Start the project (opencode_project_start) and call again when it is ready; its status says what is missing.',
  },
  project_busy: {
    status: 409,
    retryable: true,
    hint: 'Tasks or sessions work in it; wait for them, cancel them, or call again with force.',
  },
  sandbox_not_found: {
    status: 404,
    retryable: false,
    hint: 'List the project’s sandboxes to see which there are.',
  },
  sandbox_exists: { status: 409, retryable: false, hint: 'Choose another name, or use the sandbox that is there.' },
  sandbox_failed: {
    status: 422,
    retryable: false,
    hint: 'The start command failed; its last words are in the message. Nothing was left behind.',
  },
  worker_unavailable: {
    status: 503,
    retryable: true,
    hint: 'No worker that can do this is there; look at GET /ready, then try again.',
  },
  opencode_unavailable: {
    status: 503,
    retryable: true,
    hint: 'The OpenCode server does not answer; look at GET /ready and at the server’s log, then try again.',
  },
  opencode_error: {
    status: 502,
    retryable: true,
    hint: 'The OpenCode server refused or broke off a call; its message says why.',
  },
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
    hint: 'RUNNER_IMAGE must have /bin/sh and opencode on its PATH; Dockerfile.opencode makes one.',
  },
  container_failed: {
    status: 502,
    retryable: true,
    hint: 'The task’s container ended without an answer; the message has its exit code and its last words.',
  },
  container_gone: {
    status: 502,
    retryable: true,
    hint: 'Somebody else removed the task’s container; look at who has access to the Docker engine.',
  },
  container_out_of_memory: {
    status: 507,
    retryable: false,
    hint: 'Raise RUNNER_MEMORY_LIMIT, or let the task do less at a time.',
  },
  container_disk_full: {
    status: 507,
    retryable: false,
    hint: 'Raise RUNNER_DISK_LIMIT, or let the task write less.',
  },
  container_silent: {
    status: 504,
    retryable: true,
    hint: 'The container ran and printed nothing; check that it reaches the model provider (RUNNER_PROXY, RUNNER_EGRESS_ALLOW).',
  },
  model_error: {
    status: 502,
    retryable: true,
    hint: 'The model provider refused or failed; its message says why. Check the key, the quota and the model’s name.',
  },
  provider_auth: {
    status: 502,
    retryable: false,
    hint: 'The model provider did not accept the key; set the right one for the OpenCode server.',
  },
  output_limit: {
    status: 502,
    retryable: false,
    hint: 'The model’s answer was cut at its output limit; ask for less in one task.',
  },
  session_not_found: {
    status: 404,
    retryable: false,
    hint: 'List the project’s sessions to see which there are.',
  },
  session_busy: {
    status: 409,
    retryable: true,
    hint: 'A turn runs in the session: wait until it is idle, or abort it first.',
  },
  session_of_task: {
    status: 409,
    retryable: false,
    hint: 'The session belongs to a task that has not ended: use send_task_message, send_task_control or reply_task_request.',
  },
  message_not_found: {
    status: 404,
    retryable: false,
    hint: 'Read the session’s messages to see which there are.',
  },
  sharing_unavailable: {
    status: 503,
    retryable: true,
    hint: 'Sharing puts the session on OpenCode’s public service: the server must be allowed to, and reach it.',
  },
  session_lost: {
    status: 502,
    retryable: true,
    hint: 'The OpenCode session of this task no longer exists on its server; start the task again.',
  },
  task_timeout: {
    status: 504,
    retryable: true,
    hint: 'The task ran past its timeout_ms; give it more time or a smaller goal.',
  },
  task_stuck: { status: 504, retryable: true, hint: 'The task made no progress for too long and was stopped.' },
  attempts_exhausted: {
    status: 500,
    retryable: true,
    hint: 'The task was interrupted too often; look at the servers’ health and start it again.',
  },
  request_rejected: {
    status: 409,
    retryable: false,
    hint: 'A permission that the task needed was rejected; start it again with other permissions.',
  },
  queue_full: { status: 429, retryable: true, hint: 'Wait until tasks end, or raise the limits.' },
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
  disk_full: {
    status: 507,
    retryable: true,
    hint: 'No space is left on the device that holds the data; free some and try again.',
  },
  directory_unwritable: {
    status: 507,
    retryable: true,
    hint: 'Let the user that runs Switchyard write to the directory that the message names.',
  },
  call_timeout: {
    status: 504,
    retryable: true,
    hint: 'The work itself goes on: read the task, the session or the project before you send the call again.',
  },
  not_supported: { status: 400, retryable: false, hint: 'This installation does not offer that; see the message.' },
  configuration_invalid: {
    status: 500,
    retryable: false,
    hint: 'Correct the variables that the message names; .env.example explains each.',
  },
  address_in_use: { status: 500, retryable: false, hint: 'Stop the other program or choose another port with PORT.' },
  home_in_use: {
    status: 500,
    retryable: false,
    hint: 'Another Switchyard uses this data directory; stop it or set SWITCHYARD_HOME to another one.',
  },
  stale_owner: {
    status: 409,
    retryable: false,
    hint: 'Another worker has taken this task over; this one writes nothing more.',
  },
  internal_error: {
    status: 500,
    retryable: true,
    hint: 'This is a fault of ours; the log has the details under the same request id.',
  },
} as const satisfies Record<string, ErrorKind>

export type ErrorCode = keyof typeof ERRORS

export const errorCodes = Object.keys(ERRORS) as [ErrorCode, ...ErrorCode[]]

export type ErrorOptions = {
  /** Overrides the code's own hint where more is known. */
  readonly hint?: string
  readonly retryable?: boolean
  /** Facts for the log and for `problem+json` extensions. Never secrets. */
  readonly context?: Readonly<Record<string, unknown>>
  readonly cause?: unknown
}

/**
 * The one error that crosses our boundaries.
 *
 * @example throw new SwitchyardError('branch_not_found', `branch "x" is not in ${url}`)
 */
export class SwitchyardError extends Error {
  readonly code: ErrorCode
  readonly hint: string
  readonly retryable: boolean
  readonly status: ErrorStatus
  readonly context: Readonly<Record<string, unknown>>

  constructor(code: ErrorCode, message: string, options: ErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'SwitchyardError'
    this.code = code
    this.status = ERRORS[code].status
    this.hint = options.hint ?? ERRORS[code].hint
    this.retryable = options.retryable ?? ERRORS[code].retryable
    this.context = options.context ?? {}
  }
}

export const isSwitchyardError = (error: unknown, code?: ErrorCode): error is SwitchyardError =>
  error instanceof SwitchyardError && (code === undefined || error.code === code)

/** Any thrown value as ours; what is unknown becomes `internal_error` with the original as its cause. */
export const toSwitchyardError = (error: unknown): SwitchyardError => {
  if (error instanceof SwitchyardError) return error
  const message = error instanceof Error ? error.message : String(error)
  return new SwitchyardError('internal_error', message, { cause: error })
}

/** A failure inside MCP results: `{ code, message, hint, retryable }`. */
export const errorBodySchema = z.object({
  code: z.enum(errorCodes),
  message: z.string(),
  hint: z.string(),
  retryable: z.boolean(),
})
export type ErrorBody = z.infer<typeof errorBodySchema>

export const errorBody = (error: SwitchyardError): ErrorBody => ({
  code: error.code,
  message: error.message,
  hint: error.hint,
  retryable: error.retryable,
})

/** RFC 9457 problem details with our extensions. */
export const problemSchema = z.object({
  type: z.string().describe('URI reference of the error code'),
  title: z.string(),
  status: z.number().int(),
  detail: z.string(),
  instance: z.string().optional(),
  code: z.enum(errorCodes),
  retryable: z.boolean(),
  hint: z.string(),
  errors: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
})
export type Problem = z.infer<typeof problemSchema>
