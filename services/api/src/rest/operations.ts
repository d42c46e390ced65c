// GET /health, /ready, /metrics.

import { createRoute, z } from '@hono/zod-openapi'
import { requireCaller, requireOperator } from '../access/caller.ts'
import type { HealthCheck } from '../monitoring/health.ts'
import type { Metrics } from '../monitoring/metrics.ts'
import { answer, failures, newRestApp, type RestApp, SECURITY } from './route.ts'
import { Health, Ready } from './schemas.ts'

const common = { method: 'get' as const, tags: ['Operations'], security: SECURITY }

const health = createRoute({
  ...common,
  path: '/health',
  operationId: 'getHealth',
  summary: 'Alive, and the state of each part',
  description:
    'Always 200 while the process answers; `status` says how the parts are. Where keys are set, a call without one gets the status alone.',
  responses: { 200: answer(Health, 'The state') },
})

const ready = createRoute({
  ...common,
  path: '/ready',
  operationId: 'getReady',
  summary: 'Able to take work, part by part',
  responses: { 200: answer(Ready, 'Able to take work'), 503: answer(Ready, 'Not now; the parts say why') },
})

const metrics = createRoute({
  ...common,
  path: '/metrics',
  operationId: 'getMetrics',
  summary: 'Figures for Prometheus',
  description: 'For operators, where keys are set.',
  responses: { 200: { description: 'Figures', content: { 'text/plain': { schema: z.string() } } }, ...failures() },
})

export const operationRoutes = (check: HealthCheck, figures: Metrics): RestApp => {
  const app = newRestApp()
  app.openapi(health, async (c) => c.json(await check.health(c.get('caller') !== undefined), 200))
  app.openapi(ready, async (c) => {
    const state = await check.ready(c.get('caller') !== undefined)
    return c.json(state, state.ready ? 200 : 503)
  })
  app.openapi(metrics, async (c) => {
    requireOperator(requireCaller(c.get('caller')), 'reading metrics')
    return c.text(await figures.registry.metrics(), 200, { 'Content-Type': figures.registry.contentType })
  })
  return app
}
