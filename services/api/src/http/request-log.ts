// One log line and one measurement a request, under an id that the answer carries too.

import { randomUUID } from 'node:crypto'
import type { Logger } from '@switchyard/config'
import type { MiddlewareHandler } from 'hono'
import { routePath } from 'hono/route'
import type { ApiEnv } from '../access/access-control.ts'
import type { Metrics } from '../monitoring/metrics.ts'

/** Asked every few seconds by those that watch over us. */
const QUIET: ReadonlySet<string> = new Set(['/health', '/ready', '/metrics'])

const REQUEST_ID = /^[\w.:-]{1,100}$/

/** The caller's own X-Request-Id is kept where it is harmless in a log. */
const requestIdOf = (header: string | undefined): string =>
  header && REQUEST_ID.test(header) ? header : `req_${randomUUID()}`

export const requestLog =
  (logger: Logger, metrics: Metrics): MiddlewareHandler<ApiEnv> =>
  async (context, next) => {
    const began = performance.now()
    const requestId = requestIdOf(context.req.header('x-request-id'))
    context.set('requestId', requestId)
    context.header('X-Request-Id', requestId)
    await next()
    const ms = performance.now() - began
    const { method } = context.req
    const { status } = context.res
    // The last route that matched; for an unknown path that is the middleware's own pattern.
    const matched = routePath(context, -1)
    const route = matched === '/*' || matched === '*' ? 'unknown' : matched
    metrics.requests.observe({ method, route, status: String(status) }, ms / 1_000)
    const line = {
      request_id: requestId,
      method,
      route,
      status,
      ms: Math.round(ms * 10) / 10,
      caller: context.get('caller')?.name,
      ...(context.error ? { err: context.error } : {}),
    }
    // Not ready is an answer, and given to every probe; the health check tells when it changes.
    const isAnswer = QUIET.has(route) && context.error === undefined
    if (status >= 500 && !isAnswer) logger.error(line, 'request')
    else if (QUIET.has(route)) logger.debug(line, 'request')
    else logger.info({ ...line, err: undefined }, 'request')
  }
