// The working directory of a task, during and after its run.

import { createRoute, z } from '@hono/zod-openapi'
import { LIMITS } from '@switchyard/contracts'
import { requireCaller } from '../access/caller.ts'
import type { TaskService } from '../tasks/service.ts'
import { failures, jsonResponse, newRestApp, type RestApp, SECURITY } from './route.ts'
import { FileContent, FileList, queryInteger, TaskDiff, TaskParams } from './schemas.ts'

const common = { method: 'get' as const, tags: ['Workspace'], security: SECURITY }

const pathSchema = z.string().max(4_096)

const files = createRoute({
  ...common,
  path: '/tasks/{id}/files',
  operationId: 'getTaskFiles',
  summary: 'List a directory of a task',
  request: {
    params: TaskParams,
    query: z.strictObject({
      path: pathSchema.optional().meta({ description: 'Relative to the working directory, which is the default' }),
    }),
  },
  responses: { 200: jsonResponse(FileList, 'The entries'), ...failures(404, 409, 410) },
})

const content = createRoute({
  ...common,
  path: '/tasks/{id}/files/content',
  operationId: 'readTaskFile',
  summary: 'Read a file of a task',
  request: {
    params: TaskParams,
    query: z.strictObject({
      path: pathSchema.min(1).meta({ description: 'Relative to the working directory' }),
      offset: queryInteger(0, Number.MAX_SAFE_INTEGER).optional().meta({ description: 'Bytes to skip' }),
      limit: queryInteger(1, LIMITS.fileBytes).optional().meta({ description: 'Maximum number of bytes' }),
    }),
  },
  responses: { 200: jsonResponse(FileContent, 'The content, or part of it'), ...failures(404, 409, 410) },
})

const diff = createRoute({
  ...common,
  path: '/tasks/{id}/diff',
  operationId: 'getTaskDiff',
  summary: 'Read the changes of a task',
  description:
    'Returns a unified diff against the commit that the task started from; with `format=json` also a list of the changed files.',
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
    // The text is from an untrusted repository; a browser must not render it as a page.
    return c.body(found.diff, 200, {
      'Content-Type': 'text/x-diff; charset=utf-8',
      'X-Content-Type-Options': 'nosniff',
      'X-Switchyard-Truncated': String(found.truncated),
    })
  })
  return app
}
