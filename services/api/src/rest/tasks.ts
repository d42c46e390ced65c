// POST /tasks, GET /tasks, GET /tasks/{id}.

import { createRoute, z } from '@hono/zod-openapi'
import { LIMITS, SwitchyardError } from '@switchyard/contracts'
import { requireCaller } from '../access/caller.ts'
import { jsonBody } from '../http/request-body.ts'
import { statusesSchema } from '../tasks/list.ts'
import type { TaskService } from '../tasks/service.ts'
import { failures, jsonBodyOf, jsonResponse, newRestApp, type RestApp, SECURITY } from './route.ts'
import { ExecuteTask, queryInteger, Task, TaskList, TaskParams, WaitMs } from './schemas.ts'

const accept = createRoute({
  method: 'post',
  path: '/tasks',
  operationId: 'executeTask',
  tags: ['Tasks'],
  summary: 'Start a task',
  description:
    'Stores the task, queues it and returns its record. Returns immediately unless you set `sync` or `wait_ms`. Repeated calls with the same `idempotency_key` return the first task.',
  security: SECURITY,
  middleware: [jsonBody],
  request: {
    headers: z.object({
      'idempotency-key': z.string().optional().meta({ description: 'Same as `idempotency_key` in the body' }),
      'x-agent-id': z
        .string()
        .optional()
        .meta({ description: 'The calling agent; `agent_id` in the body takes precedence' }),
    }),
    body: jsonBodyOf(ExecuteTask),
  },
  responses: {
    202: jsonResponse(Task, 'Accepted; the record of the new task'),
    200: jsonResponse(Task, 'The record of the task that an earlier call with this key created'),
    ...failures(409, 413, 415, 422),
  },
})

const list = createRoute({
  method: 'get',
  path: '/tasks',
  operationId: 'listTasks',
  tags: ['Tasks'],
  summary: 'List tasks, newest first',
  security: SECURITY,
  request: {
    query: z.strictObject({
      status: statusesSchema
        .optional()
        .meta({ description: 'One status, or several separated by commas', examples: ['queued,running'] }),
      agent_id: z.string().max(200).optional(),
      project_id: z.string().max(2_000).optional().meta({ description: "A project id, or a repository's URL or path" }),
      q: z.string().max(200).optional().meta({ description: 'Part of the description; case-insensitive' }),
      limit: queryInteger(1, LIMITS.listPage).optional(),
      cursor: z.string().max(500).optional().meta({ description: 'next_cursor of the previous page' }),
    }),
  },
  responses: { 200: jsonResponse(TaskList, 'A page of tasks'), ...failures() },
})

const get = createRoute({
  method: 'get',
  path: '/tasks/{id}',
  operationId: 'getTask',
  tags: ['Tasks'],
  summary: 'Read the record of a task',
  security: SECURITY,
  request: { params: TaskParams, query: z.strictObject({ wait_ms: WaitMs }) },
  responses: { 200: jsonResponse(Task, 'The record'), ...failures(404) },
})

/** Returns the key from the body, else from the header. @throws SwitchyardError `invalid_request` */
const idempotencyKeyOf = (inBody: string | undefined, inHeader: string | undefined): string | undefined => {
  const header = inHeader?.trim() || undefined
  if (header && header.length > 200)
    throw new SwitchyardError('invalid_request', 'Idempotency-Key: is longer than 200 characters')
  if (inBody !== undefined && header !== undefined && inBody !== header)
    throw new SwitchyardError('invalid_request', 'idempotency_key: differs from the Idempotency-Key header')
  return inBody ?? header
}

export const taskRoutes = (service: TaskService): RestApp => {
  const app = newRestApp()
  app.openapi(accept, async (c) => {
    const input = c.req.valid('json')
    const key = idempotencyKeyOf(input.idempotency_key, c.req.header('idempotency-key'))
    const args = key === undefined ? input : { ...input, idempotency_key: key }
    const { task, created } = await service.accept(requireCaller(c.get('caller')), args, c.req.raw.signal)
    return created ? c.json(task, 202, { Location: `/tasks/${task.task_id}` }) : c.json(task, 200)
  })
  app.openapi(list, async (c) => {
    const { project_id: project, ...query } = c.req.valid('query')
    const page = await service.list(requireCaller(c.get('caller')), { ...query, project }, false)
    return c.json(page, 200)
  })
  app.openapi(get, async (c) => {
    const { wait_ms: waitMs } = c.req.valid('query')
    const task = await service.get(
      requireCaller(c.get('caller')),
      c.req.valid('param').id,
      waitMs ?? 0,
      c.req.raw.signal,
    )
    return c.json(task, 200)
  })
  return app
}
