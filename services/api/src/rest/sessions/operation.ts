// One operation on sessions as two routes: below a project, and without one for the default project.

import { createRoute, z } from '@hono/zod-openapi'
import type { Context } from 'hono'
import type { ApiEnv } from '../../access/access-control.ts'
import { requireCaller } from '../../access/caller.ts'
import { jsonBody, optionalJsonBody } from '../../http/request-body.ts'
import type { On } from '../../sessions/deps.ts'
import { answer, body, type FailureStatus, failures, type RestApp, SECURITY } from '../route.ts'

const PROJECT = '/project/{id}'

type Call<P, Q, B> = {
  readonly on: On
  readonly params: P
  readonly query: Q
  readonly body: B
  readonly context: Context<ApiEnv>
}

type Shape = z.ZodObject | undefined
type Out<S extends Shape> = S extends z.ZodObject ? z.output<S> : undefined

export type Operation<P extends z.ZodObject, Q extends Shape, B extends Shape, R extends z.ZodType> = {
  readonly method: 'get' | 'post' | 'patch' | 'delete'
  /** Behind `/project/{id}`, or from the root. */
  readonly path: string
  /** Of the route below a project; the other one has `Default` behind it. */
  readonly operationId: string
  readonly summary: string
  readonly description?: string
  readonly tag?: string
  readonly params: P
  readonly query?: Q
  readonly body?: B
  /** A call without a body means one without any field. */
  readonly isBodyOptional?: boolean
  readonly result: R
  readonly says: string
  readonly failures?: readonly FailureStatus[]
  readonly run: (call: Call<z.output<P>, Out<Q>, Out<B>>) => Promise<z.input<R>>
}

/** The failures that every call on a session may meet. */
const COMMON: readonly FailureStatus[] = [404, 409]

/** Adds an operation to the app, for a project of the path and for the default one. */
export const addOperation = <P extends z.ZodObject, Q extends Shape, B extends Shape, R extends z.ZodType>(
  app: RestApp,
  operation: Operation<P, Q, B, R>,
): void => {
  for (const prefix of [PROJECT, ''] as const) addRoute(app, operation, prefix)
}

const PROJECT_PARAM = z.object({
  id: z.string().meta({ description: 'The project’s id', examples: ['proj_01K5A0Z9F6M2Q7R8S9T0V1W2X3'] }),
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
    summary: prefix === '' ? `${operation.summary} (of the default project)` : operation.summary,
    ...(operation.description === undefined ? {} : { description: operation.description }),
    security: SECURITY,
    ...(hasBody ? { middleware: [operation.isBodyOptional ? optionalJsonBody : jsonBody] } : {}),
    request: {
      params: prefix === '' ? operation.params : PROJECT_PARAM.extend(operation.params.shape),
      ...(operation.query ? { query: operation.query } : {}),
      ...(operation.body ? { body: { ...body(operation.body), required: !operation.isBodyOptional } } : {}),
    },
    responses: {
      200: answer(operation.result, operation.says),
      ...failures(...COMMON, ...(hasBody ? ([413, 415] as const) : []), ...(operation.failures ?? [])),
    },
  })
  // The route is put together from parts whose types are known above; hono cannot follow them through the loop.
  app.openapi(route, (async (context: Context<ApiEnv>) => {
    const valid = (target: 'param' | 'query' | 'json') => context.req.valid(target as never) as unknown
    const on = {
      caller: requireCaller(context.get('caller')),
      project: context.req.param('id'),
      signal: context.req.raw.signal,
    }
    const result = await operation.run({
      on,
      params: valid('param') as z.output<P>,
      query: (operation.query ? valid('query') : undefined) as Out<Q>,
      body: (operation.body ? (valid('json') ?? {}) : undefined) as Out<B>,
      context,
    })
    return context.json(result as object, 200)
  }) as never)
}
