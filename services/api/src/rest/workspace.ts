// The working directory of a task, live and after the end.

import { createRoute, z } from '@hono/zod-openapi'
import { LIMITS } from '@switchyard/contracts'
import { requireCaller } from '../access/caller.ts'
import type { TaskService } from '../tasks/service.ts'
import { answer, failures, newRestApp, type RestApp, SECURITY } from './route.ts'
import { FileContent, FileList, queryInteger, TaskDiff, TaskParams } from './schemas.ts'

const common = { method: 'get' as const, tags: ['Workspace'], security: SECURITY }

const pathSchema = z.string().max(4_096)

const files = createRoute({
  ...common,
  path: '/tasks/{id}/files',
  operationId: 'getTaskFiles',
  summary: 'List a directory of the task',
  request: {
    params: TaskParams,
    query: z.strictObject({
      path: pathSchema.optional().meta({ description: 'Relative to the working directory; default: itself' }),
    }),
  },
  responses: { 200: answer(FileList, 'The entries'), ...failures(404, 409, 410) },
})

const content = createRoute({
  ...common,
  path: '/tasks/{id}/files/content',
  operationId: 'readTaskFile',
  summary: 'Read a file of the task',
  request: {
    params: TaskParams,
    query: z.strictObject({
      path: pathSchema.min(1).meta({ description: 'Relative to the working directory' }),
      offset: queryInteger(0, Number.MAX_SAFE_INTEGER).optional().meta({ description: 'Bytes to skip' }),
      limit: queryInteger(1, LIMITS.fileBytes).optional().meta({ description: 'Bytes at most' }),
    }),
  },
  responses: { 200: answer(FileContent, 'The content, or a part of it'), ...failures(404, 409, 410) },
})

const diff = createRoute({
  ...common,
  path: '/tasks/{id}/diff',
  operationId: 'getTaskDiff',
  summary: 'What the task changed',
  description: 'A unified diff against where the task began; with `format=json` the changed files one by one as well.',
  request: { params: TaskParams, query: z.strictObject({ format: z.enum(['text', 'json']).optional() }) },
  responses: {
    200: {
      description: 'The diff',
      content: { 'application/json': { schema: TaskDiff }, 'text/x-diff': { schema: z.string() } },
    },
    ...failures(404, 409, 410),
  },
})

export const workspaceRoutes = (service: TaskService): RestApp => {
  const app = newRestApp()
  app.openapi(files, async (c) => {
    const list = await service.files(
      requireCaller(c.get('caller')),
      c.req.valid('param').id,
      c.req.valid('query').path ?? '',
      c.req.raw.signal,
    )
    return c.json(list, 200)
  })
  app.openapi(content, async (c) => {
    const { path, ...part } = c.req.valid('query')
    const { id } = c.req.valid('param')
    return c.json(await service.content(requireCaller(c.get('caller')), id, path, part, c.req.raw.signal), 200)
  })
  app.openapi(diff, async (c) => {
    const found = await service.diff(requireCaller(c.get('caller')), c.req.valid('param').id, c.req.raw.signal)
    if (c.req.valid('query').format === 'json') return c.json(found, 200)
    // Text of an untrusted repository: never to be taken for a page.
    return c.body(found.diff, 200, {
      'Content-Type': 'text/x-diff; charset=utf-8',
      'X-Content-Type-Options': 'nosniff',
      'X-Switchyard-Truncated': String(found.truncated),
    })
  })
  return app
}
