// The routes under /webhooks.

import { createRoute, z } from '@hono/zod-openapi'
import { requireCaller } from '../access/caller.ts'
import { jsonBody } from '../http/request-body.ts'
import type { WebhookService } from '../notifications/webhooks.ts'
import { failures, jsonBodyOf, jsonResponse, newRestApp, type RestApp, SECURITY } from './route.ts'
import { Delivery, NewWebhook, Webhook, WebhookList, WebhookWithSecret } from './schemas.ts'

const common = { tags: ['Notifications'], security: SECURITY }
const one = { ...common, request: { params: z.object({ id: z.string().meta({ description: 'The webhook id' }) }) } }
const NOT_FOUND = failures(404)

const create = createRoute({
  ...common,
  method: 'post',
  path: '/webhooks',
  operationId: 'createWebhook',
  summary: 'Create a webhook',
  description:
    'Sends a POST to your URL for each selected event, signed according to the Standard Webhooks specification. The body is `{ type, timestamp, data: { task, event } }`. The response is the only one that contains the secret. A webhook of an agent key receives events of its own tasks, one of an operator key those of all tasks.',
  middleware: [jsonBody],
  request: { body: jsonBodyOf(NewWebhook) },
  responses: { 201: jsonResponse(WebhookWithSecret, 'The webhook with its secret'), ...failures(413, 415) },
})

const list = createRoute({
  ...common,
  method: 'get',
  path: '/webhooks',
  operationId: 'listWebhooks',
  summary: 'List webhooks',
  responses: { 200: jsonResponse(WebhookList, 'The webhooks that the key may see, newest first'), ...failures() },
})

const get = createRoute({
  ...one,
  method: 'get',
  path: '/webhooks/{id}',
  operationId: 'getWebhook',
  summary: 'Read a webhook',
  responses: { 200: jsonResponse(Webhook, 'The webhook'), ...NOT_FOUND },
})

const remove = createRoute({
  ...one,
  method: 'delete',
  path: '/webhooks/{id}',
  operationId: 'deleteWebhook',
  summary: 'Delete a webhook and its pending deliveries',
  responses: { 204: { description: 'Deleted' }, ...NOT_FOUND },
})

const test = createRoute({
  ...one,
  method: 'post',
  path: '/webhooks/{id}/test',
  operationId: 'testWebhook',
  summary: 'Send a test event',
  description: 'Sends an event of type `webhook_test` and returns the result of the first attempt, within 20 s.',
  responses: { 200: jsonResponse(Delivery, 'The delivery'), ...NOT_FOUND },
})

const rotate = createRoute({
  ...one,
  method: 'post',
  path: '/webhooks/{id}/rotate',
  operationId: 'rotateWebhookSecret',
  summary: 'Rotate the secret of a webhook',
  description: 'For 24 hours, deliveries carry two signatures: one with the new secret, one with the previous secret.',
  responses: {
    200: jsonResponse(WebhookWithSecret, 'The webhook with its new secret, which no other response contains'),
    ...NOT_FOUND,
  },
})

const disable = createRoute({
  ...one,
  method: 'post',
  path: '/webhooks/{id}/disable',
  operationId: 'disableWebhook',
  summary: 'Disable a webhook',
  responses: { 200: jsonResponse(Webhook, 'Disabled; it receives no more events'), ...NOT_FOUND },
})

const enable = createRoute({
  ...one,
  method: 'post',
  path: '/webhooks/{id}/enable',
  operationId: 'enableWebhook',
  summary: 'Enable a webhook',
  responses: { 200: jsonResponse(Webhook, 'Enabled; it receives events from now on'), ...NOT_FOUND },
})

export const webhookRoutes = (service: WebhookService): RestApp => {
  const app = newRestApp()
  app.openapi(create, async (c) => {
    const webhook = await service.create(requireCaller(c.get('caller')), c.req.valid('json'))
    return c.json(webhook, 201, { Location: `/webhooks/${webhook.webhook_id}` })
  })
  app.openapi(list, async (c) => c.json({ webhooks: await service.list(requireCaller(c.get('caller'))) }, 200))
  app.openapi(get, async (c) => c.json(await service.get(requireCaller(c.get('caller')), c.req.valid('param').id), 200))
  app.openapi(remove, async (c) => {
    await service.delete(requireCaller(c.get('caller')), c.req.valid('param').id)
    return c.body(null, 204)
  })
  app.openapi(test, async (c) =>
    c.json(await service.test(requireCaller(c.get('caller')), c.req.valid('param').id, c.req.raw.signal), 200),
  )
  app.openapi(rotate, async (c) =>
    c.json(await service.rotate(requireCaller(c.get('caller')), c.req.valid('param').id), 200),
  )
  app.openapi(disable, async (c) =>
    c.json(await service.disable(requireCaller(c.get('caller')), c.req.valid('param').id), 200),
  )
  app.openapi(enable, async (c) =>
    c.json(await service.enable(requireCaller(c.get('caller')), c.req.valid('param').id), 200),
  )
  return app
}
