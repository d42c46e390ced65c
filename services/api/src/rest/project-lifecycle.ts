// Routes that stop, restart and delete a project, manage its deploy key, and find duplicate clones.

import { createRoute, z } from '@hono/zod-openapi'
import { requireCaller } from '../access/caller.ts'
import { jsonBody } from '../http/request-body.ts'
import type { ProjectService } from '../projects/service.ts'
import { failures, jsonBodyOf, jsonResponse, newRestApp, type RestApp, SECURITY } from './route.ts'
import { DeployKey, DestroyedProject, Duplicates, OfferedKey, ProjectInfo, SealedSecret } from './schemas.ts'

const common = { tags: ['Projects'], security: SECURITY }
const params = z.object({ id: z.string().min(1).max(2_000).meta({ description: 'The project id' }) })

const destroy = createRoute({
  ...common,
  method: 'delete',
  path: '/project/{id}',
  operationId: 'destroyProject',
  summary: 'Delete a project with its clone, sandboxes and registration',
  description:
    'Fails if it has open tasks or work would be lost. `force` cancels the tasks and saves unpushed work in bundles first. Your own checkout is not touched.',
  request: { params, query: z.strictObject({ force: z.stringbool().optional() }) },
  responses: { 200: jsonResponse(DestroyedProject, 'Deleted; says what was saved'), ...failures(404, 409) },
})

const stop = createRoute({
  ...common,
  method: 'post',
  path: '/project/{id}/stop',
  operationId: 'stopProject',
  summary: 'Stop a project: abort its sessions and release its server',
  description:
    'Files and sessions stay. Fails with `project_busy` if the project is shared with you and tasks of other keys are open.',
  request: { params },
  responses: { 200: jsonResponse(ProjectInfo, 'The project'), ...failures(404, 409) },
})

const restart = createRoute({
  ...common,
  method: 'post',
  path: '/project/{id}/restart',
  operationId: 'restartProject',
  summary: 'Restart a project',
  description:
    'Stops the project, then starts it and fetches its remote. Its files do not change. Fails when a stop fails.',
  request: { params },
  responses: { 200: jsonResponse(ProjectInfo, 'The project'), ...failures(404, 409, 422) },
})

const key = createRoute({
  ...common,
  method: 'get',
  path: '/project/{id}/key',
  operationId: 'getDeployKey',
  summary: 'Get the public deploy key of a project',
  description: 'Creates the key on the first call.',
  request: { params },
  responses: { 200: jsonResponse(DeployKey, 'The key, and where to add it'), ...failures(404) },
})

const rotate = createRoute({
  ...common,
  method: 'post',
  path: '/project/{id}/key/rotate',
  operationId: 'rotateDeployKey',
  summary: 'Create a new deploy key',
  description:
    'Requires the owner or an operator. The previous key works until the repository host accepts the new one.',
  request: { params },
  responses: { 200: jsonResponse(DeployKey, 'The new key'), ...failures(404) },
})

const offerSeal = createRoute({
  ...common,
  method: 'get',
  path: '/project/{id}/key/seal',
  operationId: 'offerDeployKeySeal',
  summary: 'Get a key to seal a deploy key with',
  description: 'Requires the owner or an operator. The returned key seals one deploy key.',
  request: { params },
  responses: { 200: jsonResponse(OfferedKey, 'The public key'), ...failures(404) },
})

const take = createRoute({
  ...common,
  method: 'put',
  path: '/project/{id}/key',
  operationId: 'setDeployKey',
  summary: 'Set your own ssh key as the deploy key',
  description:
    'Requires the owner or an operator. Send the private key file (at most 64 KiB, without a passphrase), sealed with the latest key, so that it appears neither in the database nor in a log. The previous key works until the repository host accepts the new one.',
  middleware: [jsonBody],
  request: { params, body: jsonBodyOf(SealedSecret) },
  responses: { 200: jsonResponse(DeployKey, 'The public key'), ...failures(404, 413, 415) },
})

const duplicates = createRoute({
  ...common,
  method: 'get',
  path: '/duplicates',
  operationId: 'detectDuplicates',
  summary: 'Find repositories that are cloned more than once',
  description: "Requires an operator key, because it searches the worker's host.",
  responses: { 200: jsonResponse(Duplicates, 'The repositories with their clones and advice'), ...failures() },
})

export const projectLifecycleRoutes = (projects: ProjectService): RestApp => {
  const app = newRestApp()
  app.openapi(destroy, async (c) => {
    const { id } = c.req.valid('param')
    const { force = false } = c.req.valid('query')
    return c.json(await projects.destroy(requireCaller(c.get('caller')), id, force, c.req.raw.signal), 200)
  })
  app.openapi(stop, async (c) =>
    c.json(await projects.stop(requireCaller(c.get('caller')), c.req.valid('param').id, c.req.raw.signal), 200),
  )
  app.openapi(restart, async (c) =>
    c.json(await projects.restart(requireCaller(c.get('caller')), c.req.valid('param').id, c.req.raw.signal), 200),
  )
  app.openapi(key, async (c) =>
    c.json(
      await projects.deployKey(requireCaller(c.get('caller')), c.req.valid('param').id, false, c.req.raw.signal),
      200,
    ),
  )
  app.openapi(rotate, async (c) =>
    c.json(
      await projects.deployKey(requireCaller(c.get('caller')), c.req.valid('param').id, true, c.req.raw.signal),
      200,
    ),
  )
  app.openapi(offerSeal, async (c) =>
    c.json(
      await projects.createKeySeal(requireCaller(c.get('caller')), c.req.valid('param').id, c.req.raw.signal),
      200,
    ),
  )
  app.openapi(take, async (c) => {
    const { sealed } = c.req.valid('json')
    return c.json(
      await projects.setKey(requireCaller(c.get('caller')), c.req.valid('param').id, sealed, c.req.raw.signal),
      200,
    )
  })
  app.openapi(duplicates, async (c) =>
    c.json(await projects.duplicates(requireCaller(c.get('caller')), c.req.raw.signal), 200),
  )
  return app
}
