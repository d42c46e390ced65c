// GET and PUT /rollout.

import { createRoute } from '@hono/zod-openapi'
import type { Caller } from '../access/caller.ts'
import { requireCaller, requireOperator } from '../access/caller.ts'
import { jsonBody } from '../http/request-body.ts'
import type { Rollout } from '../rollout/rollout.ts'
import { answer, body, failures, newRestApp, type RestApp, SECURITY } from './route.ts'
import { ChangeRollout, RolloutReport } from './schemas.ts'

const common = { path: '/rollout', tags: ['Operations'], security: SECURITY }

const read = createRoute({
  ...common,
  method: 'get',
  operationId: 'getRollout',
  summary: 'How tasks are spread over modes and pools, and how each does',
  description: 'For operators, where keys are set.',
  responses: { 200: answer(RolloutReport, 'The settings, the state of every side, the comparison'), ...failures() },
})

const change = createRoute({
  ...common,
  method: 'put',
  operationId: 'changeRollout',
  summary: 'Change how new tasks are spread',
  description:
    'For operators. Holds for every task that is accepted from then on, on every api, without a restart; what is not given stays as it is. Who, when and why are kept.',
  middleware: [jsonBody],
  request: { body: body(ChangeRollout) },
  responses: { 200: answer(RolloutReport, 'As it is now'), ...failures(413, 415) },
})

const operator = (caller: Caller): Caller => requireOperator(caller, 'the rollout')

export const rolloutRoutes = (rollout: Rollout): RestApp => {
  const app = newRestApp()
  app.openapi(read, async (c) => {
    operator(requireCaller(c.get('caller')))
    return c.json(await rollout.report(), 200)
  })
  app.openapi(change, async (c) => {
    const { name } = operator(requireCaller(c.get('caller')))
    return c.json(await rollout.change(c.req.valid('json'), name), 200)
  })
  return app
}
