// Turns errors into RFC 9457 problem details.

import { type Problem, SwitchyardError, systemErrorCode, toSwitchyardError } from '@switchyard/contracts'
import type { Context } from 'hono'
import { HTTPException } from 'hono/http-exception'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import type { ApiEnv } from '../access/access-control.ts'

const RETRY_AFTER_S = '2'

/** The JSON-RPC error code for a call without a valid key, from the range for applications. */
const UNAUTHORIZED = -32_001

const BROKEN_CONNECTION = /^(ECONNREFUSED|ECONNRESET|EPIPE|ETIMEDOUT|ENOTFOUND)$/

/** Converts whatever Hono, Node or a library threw into a SwitchyardError. */
export const asSwitchyardError = (error: unknown): SwitchyardError => {
  if (error instanceof HTTPException && error.status === 400)
    return new SwitchyardError('malformed_json', 'the body is not valid JSON', { cause: error })
  const code = systemErrorCode(error)
  if (code === 'ENOSPC' && error instanceof Error)
    return new SwitchyardError('disk_full', error.message, { cause: error })
  if (code !== undefined && BROKEN_CONNECTION.test(code))
    return new SwitchyardError('internal_error', `connection failed: ${code}`, { cause: error })
  return toSwitchyardError(error)
}

const title = (code: string): string => code.replaceAll('_', ' ')

/** Returns the message to send. That of an internal error may contain anything, so it goes to the log only. */
export const publicMessage = (error: SwitchyardError): string =>
  error.code === 'internal_error' ? 'an internal error occurred' : error.message

const toProblem = (error: SwitchyardError, instance: string): Problem => ({
  type: `/docs#error-${error.code}`,
  title: title(error.code),
  status: error.status,
  detail: publicMessage(error),
  instance,
  code: error.code,
  retryable: error.retryable,
  hint: error.hint,
  ...(error.context.errors === undefined ? {} : { errors: [...error.context.errors] }),
})

/** The fields by which OAuth clients recognize a missing token (RFC 6750); without them they start an OAuth flow. */
const oauthFields = (error: SwitchyardError) => ({
  error: 'invalid_token',
  error_description: `${publicMessage(error)}. ${error.hint}`,
})

/** For clients that parse every response of `/mcp` as JSON-RPC. */
const toJsonRpc = (error: SwitchyardError) => ({
  jsonrpc: '2.0',
  id: null,
  error: { code: UNAUTHORIZED, message: publicMessage(error), data: { code: error.code, hint: error.hint } },
  error_description: oauthFields(error).error_description,
})

const isMcp = (path: string): boolean => path === '/mcp' || path.startsWith('/mcp/')

const headersOf = (error: SwitchyardError): Record<string, string> => ({
  ...(error.status === 503 || error.status === 429 ? { 'Retry-After': RETRY_AFTER_S } : {}),
  ...(error.status === 401 ? { 'WWW-Authenticate': 'Bearer realm="switchyard", error="invalid_token"' } : {}),
  ...(error.context.allow === undefined ? {} : { Allow: error.context.allow }),
})

/** Returns the `application/problem+json` response for an error; for an MCP call without a key, a JSON-RPC error. */
export const problemResponse = (context: Context<ApiEnv>, error: SwitchyardError): Response => {
  const { path } = context.req
  const status = error.status satisfies number as ContentfulStatusCode
  if (error.status === 401 && isMcp(path)) return context.json(toJsonRpc(error), status, headersOf(error))
  const problem = { ...toProblem(error, path), ...(error.status === 401 ? oauthFields(error) : {}) }
  return context.body(JSON.stringify(problem), status, {
    'Content-Type': 'application/problem+json',
    ...headersOf(error),
  })
}
