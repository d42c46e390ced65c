// What an error code means to the caller.

export type ErrorStatus =
  | 400
  | 401
  | 403
  | 404
  | 405
  | 408
  | 409
  | 410
  | 413
  | 415
  | 422
  | 429
  | 500
  | 502
  | 503
  | 504
  | 507

export type ErrorKind = {
  /** The HTTP status. */
  readonly status: ErrorStatus
  /** The same call may succeed later without any change. */
  readonly retryable: boolean
  /** One imperative sentence that says what to do. */
  readonly hint: string
}
