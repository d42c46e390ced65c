// The endpoints under /webhooks.

import { createRoute, z } from '@hono/zod-openapi'
import { requireCaller } from '../access/caller.ts'
import { jsonBody } from '../http/request-body.ts'
import type { WebhookService } from '../notifications/webhooks.ts'
import { answer, body, failures, newRestApp, type RestApp, SECURITY } from './route.ts'
import { Delivery, NewWebhook, Webhook, WebhookList, WebhookWithSecret } from './schemas.ts'

const common = { tags: ['Notifications'], security: SECURITY }
const one = { ...common, request: { params: z.object({ id: z.string().meta({ description: 'The webhook’s id' }) }) } }
const NOT_FOUND = failures(404)

const create = createRoute({
  ...common,
  method: 'post',
  path: '/webhooks',
  operationId: 'createWebhook',
  summary: 'Register an endpoint',
  description:
    'It is called with POST for the events chosen, signed by the Standard Webhooks specification; the body is `{ type, timestamp, data: { task, event } }`. The answer holds the secret, this once. An agent’s key is told of its own tasks, an operator’s of all.',
  middleware: [jsonBody],
  request: { body: body(NewWebhook) },
  responses: { 201: answer(WebhookWithSecret, 'Registered'), ...failures(413, 415) },
})

const list = createRoute({
  ...common,
  method: 'get',
  path: '/webhooks',
  operationId: 'listWebhooks',
  summary: 'List endpoints',
  responses: { 200: answer(WebhookList, 'All that the key may see, newest first'), ...failures() },
})

const get = createRoute({
  ...one,
  method: 'get',
  path: '/webhooks/{id}',
  operationId: 'getWebhook',
  summary: 'Read an endpoint',
  responses: { 200: answer(Webhook, 'The endpoint'), ...NOT_FOUND },
})

const remove = createRoute({
  ...one,
  method: 'delete',
  path: '/webhooks/{id}',
  operationId: 'deleteWebhook',
  summary: 'Delete an endpoint, and what waits to be sent to it',
  responses: { 204: { description: 'It is gone' }, ...NOT_FOUND },
})

const test = createRoute({
  ...one,
  method: 'post',
  path: '/webhooks/{id}/test',
  operationId: 'testWebhook',
  summary: 'Send a test',
  description: 'A call of type `webhook_test`. Answers after its first attempt, within 20 s, with what came of it.',
  responses: { 200: answer(Delivery, 'The delivery'), ...NOT_FOUND },
})

const rotate = createRoute({
  ...one,
  method: 'post',
  path: '/webhooks/{id}/rotate',
  operationId: 'rotateWebhookSecret',
  summary: 'Make a new secret',
  description: 'For a day calls carry two signatures, by the new secret and the one before.',
  responses: { 200: answer(WebhookWithSecret, 'With the new secret, this once'), ...NOT_FOUND },
})

const disable = createRoute({
  ...one,
  method: 'post',
  path: '/webhooks/{id}/disable',
  operationId: 'disableWebhook',
  summary: 'Switch an endpoint off',
  responses: { 200: answer(Webhook, 'It is told nothing more'), ...NOT_FOUND },
})

const enable = createRoute({
  ...one,
  method: 'post',
  path: '/webhooks/{id}/enable',
  operationId: 'enableWebhook',
  summary: 'Switch an endpoint on again',
  responses: { 200: answer(Webhook, 'It is told of what happens from now on'), ...NOT_FOUND },
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
