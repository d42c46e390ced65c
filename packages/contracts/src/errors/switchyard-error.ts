// The error that crosses every boundary, and its forms in MCP results and HTTP answers.

import { z } from 'zod'
import { ERRORS, type ErrorCode, errorCodes } from './catalogue.ts'
import type { AnyErrorContext, ErrorContext } from './contexts.ts'
import type { ErrorStatus } from './kind.ts'

export type ErrorOptions<C extends ErrorCode = ErrorCode> = {
  /** Replaces the code's own hint where more is known. */
  readonly hint?: string
  readonly retryable?: boolean
  /** Facts for the log and for extensions of problem details. Never secrets. */
  readonly context?: ErrorContext<C>
  readonly cause?: unknown
}

/**
 * The one error that crosses boundaries between parts and to callers.
 *
 * @example throw new SwitchyardError('branch_not_found', `branch "x" does not exist on ${url}`)
 */
export class SwitchyardError<C extends ErrorCode = ErrorCode> extends Error {
  readonly code: C
  readonly hint: string
  readonly retryable: boolean
  readonly status: ErrorStatus
  readonly context: AnyErrorContext

  constructor(code: C, message: string, options: ErrorOptions<C> = {}) {
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

/** Returns any thrown value as a SwitchyardError; an unknown one becomes the cause of an `internal_error`. */
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

/** RFC 9457 problem details with extensions. */
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
