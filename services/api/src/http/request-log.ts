// Logs and measures each request, and adds a request id to the response.

import { randomUUID } from 'node:crypto'
import type { Logger } from '@switchyard/config'
import type { MiddlewareHandler } from 'hono'
import { routePath } from 'hono/route'
import type { ApiEnv } from '../access/access-control.ts'
import type { Metrics } from '../monitoring/metrics.ts'

/** Routes that monitoring polls every few seconds; logged at debug level. */
const POLLED: ReadonlySet<string> = new Set(['/health', '/ready', '/metrics'])

const REQUEST_ID = /^[\w.:-]{1,100}$/

/** Returns the caller's X-Request-Id if it is safe to log, else a new id. */
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
    // The last route that matched. For an unknown path that is the pattern of the middleware.
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
    // A 503 of /ready is a regular response to every probe; the health check logs the change.
    const isProbeResponse = POLLED.has(route) && context.error === undefined
    if (status >= 500 && !isProbeResponse) logger.error(line, 'request')
    else if (POLLED.has(route)) logger.debug(line, 'request')
    else logger.info({ ...line, err: undefined }, 'request')
  }
