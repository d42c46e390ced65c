// Messages, controls and replies to a running task.

import { createRoute, z } from '@hono/zod-openapi'
import { requireCaller } from '../access/caller.ts'
import { jsonBody } from '../http/request-body.ts'
import type { TaskService } from '../tasks/service.ts'
import { failures, jsonBodyOf, jsonResponse, newRestApp, type RestApp, SECURITY } from './route.ts'
import { Replied, Reply, SendControl, SendMessage, SentControl, SentMessage, TaskParams } from './schemas.ts'

const common = { method: 'post' as const, tags: ['Steering'], security: SECURITY, middleware: [jsonBody] }

const message = createRoute({
  ...common,
  path: '/tasks/{id}/messages',
  operationId: 'sendTaskMessage',
  summary: 'Send a message to a task',
  description:
    'The agent reads it at its next step. If the session has not started yet or is paused, the message is stored and delivered later.',
  request: { params: TaskParams, body: jsonBodyOf(SendMessage) },
  responses: {
    200: jsonResponse(SentMessage, 'Stored; `delivered` says whether the session has received it'),
    ...failures(404, 409, 413, 415),
  },
})

const control = createRoute({
  ...common,
  path: '/tasks/{id}/control',
  operationId: 'sendTaskControl',
  summary: 'Cancel, pause or resume a task',
  description: 'Returns the outcome within 3 s; it is `already_ended` if the task has ended.',
  request: { params: TaskParams, body: jsonBodyOf(SendControl) },
  responses: { 200: jsonResponse(SentControl, 'The outcome'), ...failures(404, 413, 415) },
})

const reply = createRoute({
  ...common,
  path: '/tasks/{id}/requests/{request_id}/reply',
  operationId: 'replyTaskRequest',
  summary: 'Reply to a permission request or a question',
  description:
    'To a permission request, reply `once`, `always` (for this task) or `reject`. To a question, reply with a list of answers per question, or with a text if there is only one question; `reject` declines to answer. The first reply counts.',
  request: { params: TaskParams.extend({ request_id: z.string() }), body: jsonBodyOf(Reply) },
  responses: {
    200: jsonResponse(Replied, 'Stored, and being delivered to the agent'),
    ...failures(404, 409, 413, 415),
  },
})

export const steeringRoutes = (service: TaskService): RestApp => {
  const app = newRestApp()
  app.openapi(message, async (c) => {
    const { id } = c.req.valid('param')
    return c.json(await service.message(requireCaller(c.get('caller')), id, c.req.valid('json'), c.req.raw.signal), 200)
  })
  app.openapi(control, async (c) => {
    const { id } = c.req.valid('param')
    return c.json(await service.control(requireCaller(c.get('caller')), id, c.req.valid('json'), c.req.raw.signal), 200)
  })
  app.openapi(reply, async (c) => {
    const { id, request_id: requestId } = c.req.valid('param')
    return c.json(await service.reply(requireCaller(c.get('caller')), id, requestId, c.req.valid('json')), 200)
  })
  return app
}
