// GET /deliveries, POST /deliveries/{id}/retry.

import { createRoute, z } from '@hono/zod-openapi'
import { deliveryStateSchema, LIMITS } from '@switchyard/contracts'
import type { Records } from '@switchyard/records'
import { requireCaller } from '../access/caller.ts'
import { findDeliveries, retry } from '../notifications/deliveries.ts'
import { failures, jsonResponse, newRestApp, type RestApp, SECURITY } from './route.ts'
import { Delivery, DeliveryList, queryInteger } from './schemas.ts'

const common = { tags: ['Notifications'], security: SECURITY }

const listRoute = createRoute({
  ...common,
  method: 'get',
  path: '/deliveries',
  operationId: 'listDeliveries',
  summary: 'List deliveries, newest first',
  description:
    'Use `state=dead` for the dead letters. Each delivery says why its last attempt failed and how to fix it.',
  request: {
    query: z.strictObject({
      state: deliveryStateSchema.optional(),
      task_id: z.string().max(200).optional(),
      destination: z.string().max(200).optional().meta({ description: 'A webhook id, `callback` or `letta`' }),
      limit: queryInteger(1, LIMITS.listPage).optional(),
      cursor: z.string().max(500).optional().meta({ description: 'next_cursor of the previous page' }),
    }),
  },
  responses: { 200: jsonResponse(DeliveryList, 'A page of deliveries'), ...failures() },
})

const retryRoute = createRoute({
  ...common,
  method: 'post',
  path: '/deliveries/{id}/retry',
  operationId: 'retryDelivery',
  summary: 'Send a delivery again',
  description: 'Sends it immediately with the same id. The retry period starts again.',
  request: { params: z.object({ id: z.string() }) },
  responses: { 202: jsonResponse(Delivery, 'Scheduled; the delivery'), ...failures(404, 409) },
})

export const deliveryRoutes = (records: Records): RestApp => {
  const app = newRestApp()
  app.openapi(listRoute, async (c) =>
    c.json(await findDeliveries(records, requireCaller(c.get('caller')), c.req.valid('query')), 200),
  )
  app.openapi(retryRoute, async (c) =>
    c.json(await retry(records, requireCaller(c.get('caller')), c.req.valid('param').id), 202),
  )
  return app
}
