// The endpoints under /project/{id}/sandbox.

import { createRoute, z } from '@hono/zod-openapi'
import { requireCaller } from '../access/caller.ts'
import { jsonBody } from '../http/request-body.ts'
import type { ProjectService } from '../projects/service.ts'
import { answer, body, failures, newRestApp, type RestApp, SECURITY } from './route.ts'
import { NewSandbox, Sandbox, SandboxChanged, SandboxImported, SandboxList } from './schemas.ts'

const common = { tags: ['Projects'], security: SECURITY }
const id = z.string().min(1).max(2_000).meta({ description: 'The project’s id' })
const name = z.string().min(1).max(63).meta({ description: 'The sandbox’s name' })
const one = z.object({ id, name })
const flag = z.stringbool().optional()

const list = createRoute({
  ...common,
  method: 'get',
  path: '/project/{id}/sandbox',
  operationId: 'listSandboxes',
  summary: 'List the sandboxes of a project, each with how it stands to its base',
  request: { params: z.object({ id }) },
  responses: { 200: answer(SandboxList, 'The oldest first'), ...failures(404) },
})

const create = createRoute({
  ...common,
  method: 'post',
  path: '/project/{id}/sandbox',
  operationId: 'createSandbox',
  summary: 'Make a sandbox: a worktree on a branch of its own',
  description: 'Safe to repeat: the same name on the same branch is the same sandbox.',
  middleware: [jsonBody],
  request: { params: z.object({ id }), body: body(NewSandbox) },
  responses: { 201: answer(Sandbox, 'It is there'), ...failures(404, 409, 413, 415, 422) },
})

const remove = createRoute({
  ...common,
  method: 'delete',
  path: '/project/{id}/sandbox/{name}',
  operationId: 'deleteSandbox',
  summary: 'Delete a sandbox',
  description:
    'Refused while work would be lost. `force`, for who made it, the project’s owner and operators, cancels its tasks and bundles what is not pushed; `as_imported` takes an import back: one in which nothing was changed since goes, and a sandbox into which nothing was imported stays.',
  request: { params: one, query: z.strictObject({ force: flag, as_imported: flag }) },
  responses: { 200: answer(SandboxChanged, 'It is gone'), ...failures(404, 409) },
})

const importBundle = createRoute({
  ...common,
  method: 'post',
  path: '/project/{id}/sandbox/{name}/import',
  operationId: 'importIntoSandbox',
  summary: 'Give a new sandbox commits and uncommitted changes from elsewhere',
  description:
    'The body is a git bundle, 1 GiB at most. The sandbox’s branch then leads to its `refs/switchyard/head`; where it has a `refs/switchyard/worktree`, one commit on top of that, the files are those and the difference is uncommitted. Safe to repeat with the same bundle; refused where somebody has worked in the sandbox. For operators, where keys are set.',
  request: {
    params: one,
    body: {
      required: true,
      content: { 'application/octet-stream': { schema: z.string().meta({ format: 'binary' }) } },
    },
  },
  responses: { 200: answer(SandboxImported, 'It is in'), ...failures(404, 409, 413, 422) },
})

export const sandboxRoutes = (projects: ProjectService): RestApp => {
  const app = newRestApp()
  app.openapi(list, async (c) => {
    const found = await projects.sandboxes(requireCaller(c.get('caller')), c.req.valid('param').id, c.req.raw.signal)
    return c.json({ sandboxes: [...found], total: found.length }, 200)
  })
  app.openapi(create, async (c) => {
    const caller = requireCaller(c.get('caller'))
    const made = await projects.createSandbox(caller, c.req.valid('param').id, c.req.valid('json'), c.req.raw.signal)
    return c.json(made, 201)
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
