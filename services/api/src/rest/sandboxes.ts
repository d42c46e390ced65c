// The routes under /project/{id}/sandbox.

import { createRoute, z } from '@hono/zod-openapi'
import { requireCaller } from '../access/caller.ts'
import { jsonBody } from '../http/request-body.ts'
import type { ProjectService } from '../projects/service.ts'
import { failures, jsonBodyOf, jsonResponse, newRestApp, type RestApp, SECURITY } from './route.ts'
import { NewSandbox, Sandbox, SandboxChanged, SandboxImported, SandboxList } from './schemas.ts'

const common = { tags: ['Projects'], security: SECURITY }
const id = z.string().min(1).max(2_000).meta({ description: 'The project id' })
const name = z.string().min(1).max(63).meta({ description: 'The sandbox name' })
const one = z.object({ id, name })
const flag = z.stringbool().optional()

const list = createRoute({
  ...common,
  method: 'get',
  path: '/project/{id}/sandbox',
  operationId: 'listSandboxes',
  summary: 'List the sandboxes of a project with their git state',
  request: { params: z.object({ id }) },
  responses: { 200: jsonResponse(SandboxList, 'The sandboxes, oldest first'), ...failures(404) },
})

const create = createRoute({
  ...common,
  method: 'post',
  path: '/project/{id}/sandbox',
  operationId: 'createSandbox',
  summary: 'Create a sandbox: a worktree with its own branch',
  description: 'Safe to repeat: the same name and branch return the same sandbox.',
  middleware: [jsonBody],
  request: { params: z.object({ id }), body: jsonBodyOf(NewSandbox) },
  responses: { 201: jsonResponse(Sandbox, 'The sandbox'), ...failures(404, 409, 413, 415, 422) },
})

const remove = createRoute({
  ...common,
  method: 'delete',
  path: '/project/{id}/sandbox/{name}',
  operationId: 'deleteSandbox',
  summary: 'Delete a sandbox',
  description:
    'Fails if work would be lost. `force` cancels its tasks and saves unpushed work in a bundle. `as_imported` undoes an import: it deletes the sandbox only if its content is an import that nobody has changed since. Both require the creator of the sandbox, the project owner or an operator.',
  request: { params: one, query: z.strictObject({ force: flag, as_imported: flag }) },
  responses: { 200: jsonResponse(SandboxChanged, 'Deleted; says what was saved'), ...failures(404, 409) },
})

const importBundle = createRoute({
  ...common,
  method: 'post',
  path: '/project/{id}/sandbox/{name}/import',
  operationId: 'importIntoSandbox',
  summary: 'Import commits and uncommitted changes into a new sandbox',
  description:
    'Requires an operator key. The body is a git bundle of at most 1 GiB. The branch is set to `refs/switchyard/head` of the bundle. If the bundle has `refs/switchyard/worktree`, one commit on top of that, its difference becomes the uncommitted changes. Safe to repeat with the same bundle; fails if the sandbox has other work.',
  request: {
    params: one,
    body: {
      required: true,
      content: { 'application/octet-stream': { schema: z.string().meta({ format: 'binary' }) } },
    },
  },
  responses: { 200: jsonResponse(SandboxImported, 'Imported'), ...failures(404, 409, 413, 422) },
})

export const sandboxRoutes = (projects: ProjectService): RestApp => {
  const app = newRestApp()
  app.openapi(list, async (c) => {
    const found = await projects.sandboxes(requireCaller(c.get('caller')), c.req.valid('param').id, c.req.raw.signal)
    return c.json({ sandboxes: [...found], total: found.length }, 200)
  })
  app.openapi(create, async (c) => {
    const caller = requireCaller(c.get('caller'))
    const sandbox = await projects.createSandbox(caller, c.req.valid('param').id, c.req.valid('json'), c.req.raw.signal)
    return c.json(sandbox, 201)
  })
  app.openapi(remove, async (c) => {
    const { id: project, name: sandbox } = c.req.valid('param')
    const { force = false, as_imported } = c.req.valid('query')
    const args = { name: sandbox, force, ...(as_imported === undefined ? {} : { as_imported }) }
    const caller = requireCaller(c.get('caller'))
    return c.json(await projects.changeSandbox('delete', caller, project, args, c.req.raw.signal), 200)
  })
  app.openapi(importBundle, async (c) => {
    const { id: project, name: sandbox } = c.req.valid('param')
    const { body: bundle, signal } = c.req.raw
    return c.json(await projects.importSandbox(requireCaller(c.get('caller')), project, sandbox, bundle, signal), 200)
  })
  return app
}
