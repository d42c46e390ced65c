// GET /health, /ready, /metrics.

import { createRoute, z } from '@hono/zod-openapi'
import { requireCaller, requireOperator } from '../access/caller.ts'
import type { HealthCheck } from '../monitoring/health.ts'
import type { Metrics } from '../monitoring/metrics.ts'
import { failures, jsonResponse, newRestApp, type RestApp, SECURITY } from './route.ts'
import { Health, Ready } from './schemas.ts'

const common = { method: 'get' as const, tags: ['Operations'], security: SECURITY }

const health = createRoute({
  ...common,
  path: '/health',
  operationId: 'getHealth',
  summary: 'Check health',
  description:
    'Returns 200 while the process runs; `status` and `parts` describe the components. On installations with keys, a call without a key gets the status only.',
  responses: { 200: jsonResponse(Health, 'The health of the installation and its components') },
})

const ready = createRoute({
  ...common,
  path: '/ready',
  operationId: 'getReady',
  summary: 'Check readiness',
  responses: {
    200: jsonResponse(Ready, 'Ready to accept tasks'),
    503: jsonResponse(Ready, 'Not ready; the components say why'),
  },
})

const metrics = createRoute({
  ...common,
  path: '/metrics',
  operationId: 'getMetrics',
  summary: 'Read Prometheus metrics',
  description: 'Requires an operator key.',
  responses: { 200: { description: 'The metrics', content: { 'text/plain': { schema: z.string() } } }, ...failures() },
})

export const operationRoutes = (check: HealthCheck, { registry }: Metrics): RestApp => {
  const app = newRestApp()
  app.openapi(health, async (c) => c.json(await check.health(c.get('caller') !== undefined), 200))
  app.openapi(ready, async (c) => {
    const state = await check.ready(c.get('caller') !== undefined)
    return c.json(state, state.ready ? 200 : 503)
  })
  app.openapi(metrics, async (c) => {
    requireOperator(requireCaller(c.get('caller')), 'reading metrics')
    return c.text(await registry.metrics(), 200, { 'Content-Type': registry.contentType })
  })
  return app
}
