// Registers an operation on sessions as two routes: under a project, and at the root for the default project.

import { createRoute, z } from '@hono/zod-openapi'
import type { Context } from 'hono'
import type { ApiEnv } from '../../access/access-control.ts'
import { requireCaller } from '../../access/caller.ts'
import { jsonBody, optionalJsonBody } from '../../http/request-body.ts'
import type { ProjectCall } from '../../sessions/deps.ts'
import { type FailureStatus, failures, jsonBodyOf, jsonResponse, type RestApp, SECURITY } from '../route.ts'

const PROJECT = '/project/{id}'

type OperationInput<P, Q, B> = {
  readonly call: ProjectCall
  readonly params: P
  readonly query: Q
  readonly body: B
  readonly context: Context<ApiEnv>
}

type Shape = z.ZodObject | undefined
type Out<S extends Shape> = S extends z.ZodObject ? z.output<S> : undefined

export type Operation<P extends z.ZodObject, Q extends Shape, B extends Shape, R extends z.ZodType> = {
  readonly method: 'get' | 'post' | 'patch' | 'delete'
  /** Without the prefix `/project/{id}`. */
  readonly path: string
  /** Of the route under a project; that of the other route ends in `Default`. */
  readonly operationId: string
  readonly summary: string
  readonly description?: string
  readonly tag?: string
  readonly params: P
  readonly query?: Q
  readonly body?: B
  /** Whether a missing body means an empty object. */
  readonly isBodyOptional?: boolean
  readonly result: R
  /** The description of the result. */
  readonly returns: string
  readonly failures?: readonly FailureStatus[]
  readonly run: (input: OperationInput<z.output<P>, Out<Q>, Out<B>>) => Promise<z.input<R>>
}

/** The failures of every session operation. */
const COMMON: readonly FailureStatus[] = [404, 409]

/** Adds both routes of an operation to the app. */
export const addOperation = <P extends z.ZodObject, Q extends Shape, B extends Shape, R extends z.ZodType>(
  app: RestApp,
  operation: Operation<P, Q, B, R>,
): void => {
  for (const prefix of [PROJECT, ''] as const) addRoute(app, operation, prefix)
}

const PROJECT_PARAM = z.object({
  id: z.string().meta({ description: 'The project id', examples: ['proj_01K5A0Z9F6M2Q7R8S9T0V1W2X3'] }),
})

const addRoute = <P extends z.ZodObject, Q extends Shape, B extends Shape, R extends z.ZodType>(
  app: RestApp,
  operation: Operation<P, Q, B, R>,
  prefix: typeof PROJECT | '',
): void => {
  const hasBody = operation.body !== undefined
  const route = createRoute({
    method: operation.method,
    path: `${prefix}${operation.path}`,
    operationId: prefix === '' ? `${operation.operationId}Default` : operation.operationId,
    tags: [operation.tag ?? 'Sessions'],
    summary: prefix === '' ? `${operation.summary} (default project)` : operation.summary,
    ...(operation.description === undefined ? {} : { description: operation.description }),
    security: SECURITY,
    ...(hasBody ? { middleware: [operation.isBodyOptional ? optionalJsonBody : jsonBody] } : {}),
    request: {
      params: prefix === '' ? operation.params : PROJECT_PARAM.extend(operation.params.shape),
      ...(operation.query ? { query: operation.query } : {}),
      ...(operation.body ? { body: { ...jsonBodyOf(operation.body), required: !operation.isBodyOptional } } : {}),
    },
    responses: {
      200: jsonResponse(operation.result, operation.returns),
      ...failures(...COMMON, ...(hasBody ? ([413, 415] as const) : []), ...(operation.failures ?? [])),
    },
  })
  // The types of the parts are known above, but hono cannot infer them for a route that is assembled from them.
  app.openapi(route, (async (context: Context<ApiEnv>) => {
    const valid = (target: 'param' | 'query' | 'json') => context.req.valid(target as never) as unknown
    const call = {
      caller: requireCaller(context.get('caller')),
      project: context.req.param('id'),
      signal: context.req.raw.signal,
    }
    const result = await operation.run({
      call,
      params: valid('param') as z.output<P>,
      query: (operation.query ? valid('query') : undefined) as Out<Q>,
      body: (operation.body ? (valid('json') ?? {}) : undefined) as Out<B>,
      context,
    })
    return context.json(result as object, 200)
  }) as never)
}
