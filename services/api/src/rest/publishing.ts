// POST …/publish and GET …/export: the work of tasks and sandboxes.

import { createRoute, z } from '@hono/zod-openapi'
import { exportFormatSchema } from '@switchyard/contracts'
import type { Context } from 'hono'
import type { ApiEnv } from '../access/access-control.ts'
import { requireCaller } from '../access/caller.ts'
import { jsonBody } from '../http/request-body.ts'
import type { NamedWork, Publishing } from '../projects/publishing.ts'
import { failures, jsonBodyOf, jsonResponse, newRestApp, type RestApp, SECURITY } from './route.ts'
import { Publish, Published, TaskParams } from './schemas.ts'

const common = { tags: ['Publishing'], security: SECURITY }
const sandboxParams = z.object({
  id: z.string().min(1).max(2_000).meta({ description: 'The project id' }),
  name: z.string().min(1).max(63).meta({ description: 'The sandbox name' }),
})

const PUBLISH = {
  description:
    'A worker commits uncommitted changes and pushes the branch. It works in a separate repository, so the working directory does not change and no code from it runs. Safe to repeat.',
  responses: { 200: jsonResponse(Published, 'The state of the branch'), ...failures(404, 409, 410, 413, 415, 422) },
}

const EXPORT = {
  description:
    '`patch` is a single diff against the commit that the work started from, for `git apply`. `bundle` is a git bundle: `refs/switchyard/head` points to the commits, and `refs/switchyard/worktree` to one more commit with the uncommitted changes.',
  responses: {
    200: {
      description: 'The patch or bundle',
      content: {
        'text/x-diff': { schema: z.string() },
        'application/octet-stream': { schema: z.string().meta({ format: 'binary' }) },
      },
    },
    204: { description: 'There are no changes' },
    ...failures(404, 409, 410, 413),
  },
}
const exportQuery = z.strictObject({ format: exportFormatSchema.optional().meta({ description: 'Default: patch' }) })

const publishTask = createRoute({
  ...common,
  ...PUBLISH,
  method: 'post',
  path: '/tasks/{id}/publish',
  operationId: 'publishTask',
  summary: 'Push the work of a task to a branch of its repository',
  middleware: [jsonBody],
  request: { params: TaskParams, body: jsonBodyOf(Publish) },
})

const publishSandbox = createRoute({
  ...common,
  ...PUBLISH,
  method: 'post',
  path: '/project/{id}/sandbox/{name}/publish',
  operationId: 'publishSandbox',
  summary: 'Push the work of a sandbox to a branch of its repository',
  middleware: [jsonBody],
  request: { params: sandboxParams, body: jsonBodyOf(Publish) },
})

const exportTask = createRoute({
  ...common,
  ...EXPORT,
  method: 'get',
  path: '/tasks/{id}/export',
  operationId: 'exportTask',
  summary: 'Download the work of a task',
  request: { params: TaskParams, query: exportQuery },
})

const exportSandbox = createRoute({
  ...common,
  ...EXPORT,
  method: 'get',
  path: '/project/{id}/sandbox/{name}/export',
  operationId: 'exportSandbox',
  summary: 'Download the work of a sandbox',
  request: { params: sandboxParams, query: exportQuery },
})

export const publishingRoutes = (publishing: Publishing): RestApp => {
  const app = newRestApp()
  const sendExport = async (c: Context<ApiEnv>, place: NamedWork, format: 'patch' | 'bundle') => {
    const found = await publishing.export(requireCaller(c.get('caller')), place, format, c.req.raw.signal)
    if (found === null) return c.body(null, 204)
    return c.body(found, 200, {
      'Content-Type': format === 'patch' ? 'text/x-diff; charset=utf-8' : 'application/octet-stream',
      'Content-Disposition': `attachment; filename="work.${format}"`,
      'X-Content-Type-Options': 'nosniff',
    })
  }
  app.openapi(publishTask, async (c) => {
    const place = { task: c.req.valid('param').id }
    return c.json(
      await publishing.publish(requireCaller(c.get('caller')), place, c.req.valid('json'), c.req.raw.signal),
      200,
    )
  })
  app.openapi(publishSandbox, async (c) => {
    const { id: project, name: sandbox } = c.req.valid('param')
    const caller = requireCaller(c.get('caller'))
    return c.json(await publishing.publish(caller, { project, sandbox }, c.req.valid('json'), c.req.raw.signal), 200)
  })
  app.openapi(exportTask, async (c) =>
    sendExport(c, { task: c.req.valid('param').id }, c.req.valid('query').format ?? 'patch'),
  )
  app.openapi(exportSandbox, async (c) => {
    const { id: project, name: sandbox } = c.req.valid('param')
    return await sendExport(c, { project, sandbox }, c.req.valid('query').format ?? 'patch')
  })
  return app
}
