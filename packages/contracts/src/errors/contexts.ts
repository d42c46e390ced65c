// The facts that an error carries, by its code. A code without an entry carries none.

import type { ErrorCode } from './catalogue.ts'

/** A field of a request and what is wrong with it, as shown in `errors` of problem details. */
export type FieldError = { readonly path: string; readonly message: string }

/** How a call to OpenCode failed. */
type OpenCodeFailure = {
  /** The connection was refused, so the call never reached the server. */
  readonly refused?: boolean
  /** The server did not answer in time. */
  readonly timedOut?: boolean
  /** The HTTP status of the answer. */
  readonly status?: number
}

/** The state of a git command that failed. */
type GitFailure = {
  /** The git command, such as `fetch`. */
  readonly command?: string
  /** A lock file of another git process was in the way. */
  readonly lock_file?: boolean
}

type Directory = { readonly directory: string }

type Address = { readonly port: number; readonly host: string }

type ContextByCode = {
  invalid_request: { readonly errors: readonly FieldError[] }
  method_not_allowed: { readonly allow: string }
  idempotency_conflict: { readonly task_id: string }
  queue_full: { readonly waiting: number; readonly max: number }
  configuration_invalid: { readonly problems: readonly string[] }
  home_in_use: Directory & { readonly pid: number | undefined }
  disk_full: Directory
  directory_unwritable: Directory
  opencode_unavailable: OpenCodeFailure
  opencode_error: OpenCodeFailure
  session_lost: OpenCodeFailure
  address_in_use: Address
  repository_unavailable: GitFailure
  repository_not_found: GitFailure
  repository_access_denied: GitFailure
  host_key_unknown: GitFailure
  host_key_changed: GitFailure
  internal_error: GitFailure
}

/** The facts of one code: type-checked where the error is created. */
export type ErrorContext<C extends ErrorCode> = C extends keyof ContextByCode
  ? ContextByCode[C]
  : Readonly<Record<string, never>>

/** The facts of any error, where its code is not known. */
export type AnyErrorContext = Partial<
  ContextByCode['invalid_request'] &
    ContextByCode['method_not_allowed'] &
    ContextByCode['idempotency_conflict'] &
    ContextByCode['queue_full'] &
    ContextByCode['configuration_invalid'] &
    ContextByCode['home_in_use'] &
    Address &
    OpenCodeFailure &
    GitFailure
>
