// What every route of the REST API has in common: its answers, its failures, its way of checking arguments.

import { type Hook, OpenAPIHono } from '@hono/zod-openapi'
import type { z } from 'zod'
import type { ApiEnv } from '../access/access-control.ts'
import { invalidArguments } from '../validation/arguments.ts'
import { Problem } from './schemas.ts'

export type RestApp = OpenAPIHono<ApiEnv>

const refuseInvalid: Hook<unknown, ApiEnv, string, void> = (result) => {
  if (!result.success) throw invalidArguments(result.error)
}

export const newRestApp = (): RestApp => new OpenAPIHono<ApiEnv>({ defaultHook: refuseInvalid })

export const answer = <S extends z.ZodType>(schema: S, description: string) => ({
  description,
  content: { 'application/json': { schema } },
})

export const body = <S extends z.ZodType>(schema: S) => ({
  required: true,
  content: { 'application/json': { schema } },
})

const FAILURES = {
  400: 'The arguments are not right',
  401: 'No key, or not a known one',
  403: 'The key’s role, or the page’s origin, is not allowed this',
  404: 'There is no such thing, or it is another’s',
  409: 'Not in this state',
  410: 'It was there and is gone',
  413: 'The body is too large',
  415: 'The body is not application/json',
  422: 'Understood, and cannot be done: an unknown model or agent',
  503: 'The database or the queue does not answer; try again after Retry-After',
} as const

export type FailureStatus = keyof typeof FAILURES

/**
 * Failures for the document: those named, and those that any call may meet. They are thrown, never returned, so
 * the handlers' types leave them out.
 */
export const failures = (...statuses: readonly FailureStatus[]): Record<never, never> =>
  Object.fromEntries(
    [...new Set<FailureStatus>([400, 401, 403, 503, ...statuses])].map((status) => [
      status,
      { description: FAILURES[status], content: { 'application/problem+json': { schema: Problem } } },
    ]),
  )

/** Without keys nothing is asked for; with keys a bearer token is. */
export const SECURITY: Record<string, string[]>[] = [{ bearer: [] }, {}]
