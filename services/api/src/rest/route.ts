// What all REST routes share: how they declare responses and failures, and how they check arguments.

import { type Hook, OpenAPIHono } from '@hono/zod-openapi'
import { z } from 'zod'
import type { ApiEnv } from '../access/access-control.ts'
import { dropAbsentValues } from '../validation/absent-values.ts'
import { invalidArguments } from '../validation/arguments.ts'
import { Problem } from './schemas.ts'

export type RestApp = OpenAPIHono<ApiEnv>

const rejectInvalid: Hook<unknown, ApiEnv, string, void> = (result) => {
  if (!result.success) throw invalidArguments(result.error)
}

export const newRestApp = (): RestApp => new OpenAPIHono<ApiEnv>({ defaultHook: rejectInvalid })

export const jsonResponse = <S extends z.ZodType>(schema: S, description: string) => ({
  description,
  content: { 'application/json': { schema } },
})

/** Declares the body of a request. An optional field that is null counts as missing. */
export const jsonBodyOf = <S extends z.ZodType>(schema: S) => ({
  required: true,
  content: { 'application/json': { schema: z.preprocess((value) => dropAbsentValues(schema, value), schema) } },
})

const FAILURES = {
  400: 'An argument is invalid',
  401: 'The API key is missing or unknown',
  403: "The key's role or the page's origin does not permit this",
  404: 'It does not exist, or it belongs to another key',
  409: 'The current state does not permit this',
  410: 'It has been deleted',
  413: 'The body is too large',
  415: 'Content-Type is not application/json',
  422: 'The request is valid but cannot be carried out, for example because the model or agent is unknown',
  503: 'The database or queue is unavailable; retry after Retry-After',
} as const

export type FailureStatus = keyof typeof FAILURES

/**
 * Returns the error responses of a route for the OpenAPI document: the given ones, and those that every route has.
 * Handlers throw errors instead of returning them, so the type leaves them out.
 */
export const failures = (...statuses: readonly FailureStatus[]): Record<never, never> =>
  Object.fromEntries(
    [...new Set<FailureStatus>([400, 401, 403, 503, ...statuses])].map((status) => [
      status,
      { description: FAILURES[status], content: { 'application/problem+json': { schema: Problem } } },
    ]),
  )

/** A bearer token on installations with keys, nothing on those without. */
export const SECURITY: Record<string, string[]>[] = [{ bearer: [] }, {}]
