// GET and PUT /rollout.

import { createRoute } from '@hono/zod-openapi'
import { requireCaller, requireOperator } from '../access/caller.ts'
import { jsonBody } from '../http/request-body.ts'
import type { Rollout } from '../rollout/rollout.ts'
import { failures, jsonBodyOf, jsonResponse, newRestApp, type RestApp, SECURITY } from './route.ts'
import { ChangeRollout, RolloutReport } from './schemas.ts'

const common = { path: '/rollout', tags: ['Operations'], security: SECURITY }

const read = createRoute({
  ...common,
  method: 'get',
  operationId: 'getRollout',
  summary: 'Read how tasks are distributed, and how each side performs',
  description: 'Requires an operator key.',
  responses: {
    200: jsonResponse(RolloutReport, 'The settings, the state of each side and their comparison'),
    ...failures(),
  },
})

const change = createRoute({
  ...common,
  method: 'put',
  operationId: 'changeRollout',
  summary: 'Change how new tasks are distributed',
  description:
    'Requires an operator key. Changes the given settings only. They apply to every task accepted afterwards, on every api process, without a restart. The history records who changed what, when and why.',
  middleware: [jsonBody],
  request: { body: jsonBodyOf(ChangeRollout) },
  responses: { 200: jsonResponse(RolloutReport, 'The new settings and their effect'), ...failures(413, 415) },
})

export const rolloutRoutes = (rollout: Rollout): RestApp => {
  const app = newRestApp()
  app.openapi(read, async (c) => {
    requireOperator(requireCaller(c.get('caller')), 'reading the rollout')
    return c.json(await rollout.report(), 200)
  })
  app.openapi(change, async (c) => {
    const { name } = requireOperator(requireCaller(c.get('caller')), 'changing the rollout')
    return c.json(await rollout.change(c.req.valid('json'), name), 200)
  })
  return app
}
