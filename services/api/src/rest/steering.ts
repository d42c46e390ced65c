// Messages, controls and answers to a running task.

import { createRoute, z } from '@hono/zod-openapi'
import { requireCaller } from '../access/caller.ts'
import { jsonBody } from '../http/request-body.ts'
import type { TaskService } from '../tasks/service.ts'
import { answer, body, failures, newRestApp, type RestApp, SECURITY } from './route.ts'
import { Replied, Reply, SendControl, SendMessage, SentControl, SentMessage, TaskParams } from './schemas.ts'

const common = { method: 'post' as const, tags: ['Steering'], security: SECURITY, middleware: [jsonBody] }

const message = createRoute({
  ...common,
  path: '/tasks/{id}/messages',
  operationId: 'sendTaskMessage',
  summary: 'Say something to a task’s session',
  description: 'The agent reads it at its next step. Before the session runs, and while it is paused, it is kept.',
  request: { params: TaskParams, body: body(SendMessage) },
  responses: {
    200: answer(SentMessage, 'Kept; `delivered` says whether the session has it'),
    ...failures(404, 409, 413, 415),
  },
})

const control = createRoute({
  ...common,
  path: '/tasks/{id}/control',
  operationId: 'sendTaskControl',
  summary: 'Cancel, pause or resume a task',
  description: 'Answers within 3 s with what it did. A task that has ended answers `already_ended`.',
  request: { params: TaskParams, body: body(SendControl) },
  responses: { 200: answer(SentControl, 'What came of it'), ...failures(404, 413, 415) },
})

const reply = createRoute({
  ...common,
  path: '/tasks/{id}/requests/{request_id}/reply',
  operationId: 'replyTaskRequest',
  summary: 'Answer a permission ask or a question',
  description:
    'A permission takes `once`, `always` (for this task) or `reject`. A question takes a list of answers for each question, or a text where one question was asked; `reject` declines to answer. The first answer counts.',
  request: { params: TaskParams.extend({ request_id: z.string() }), body: body(Reply) },
  responses: { 200: answer(Replied, 'Kept, and on its way to the agent'), ...failures(404, 409, 413, 415) },
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
