// A project from its stop to its end: DELETE /project/{id}, its stop, restart and key, and clones that are too many.

import { createRoute, z } from '@hono/zod-openapi'
import { requireCaller } from '../access/caller.ts'
import { jsonBody } from '../http/request-body.ts'
import type { ProjectService } from '../projects/service.ts'
import { answer, body, failures, newRestApp, type RestApp, SECURITY } from './route.ts'
import { DeployKey, DestroyedProject, Duplicates, OfferedKey, ProjectInfo, SealedSecret } from './schemas.ts'

const common = { tags: ['Projects'], security: SECURITY }
const params = z.object({ id: z.string().min(1).max(2_000).meta({ description: 'The project’s id' }) })

const destroy = createRoute({
  ...common,
  method: 'delete',
  path: '/project/{id}',
  operationId: 'destroyProject',
  summary: 'Delete what was made for a project, and take its registration back',
  description:
    'Refused while tasks run in it or work would be lost. `force` cancels them and bundles that work first. A checkout of your own is left as it is.',
  request: { params, query: z.strictObject({ force: z.stringbool().optional() }) },
  responses: { 200: answer(DestroyedProject, 'It is gone'), ...failures(404, 409) },
})

const stop = createRoute({
  ...common,
  method: 'post',
  path: '/project/{id}/stop',
  operationId: 'stopProject',
  summary: 'End what its sessions do and free its server; files and sessions stay',
  description: '`project_busy` where the project is shared with you and tasks of other keys are open.',
  request: { params },
  responses: { 200: answer(ProjectInfo, 'The project as it is now'), ...failures(404, 409) },
})

const restart = createRoute({
  ...common,
  method: 'post',
  path: '/project/{id}/restart',
  operationId: 'restartProject',
  summary: 'Stop it and start it again: its remote is fetched, its files stay as they are',
  description: 'Refused as a stop is.',
  request: { params },
  responses: { 200: answer(ProjectInfo, 'The project as it is now'), ...failures(404, 409, 422) },
})

const key = createRoute({
  ...common,
  method: 'get',
  path: '/project/{id}/key',
  operationId: 'getDeployKey',
  summary: 'The public half of its deploy key, made where there is none',
  request: { params },
  responses: { 200: answer(DeployKey, 'The key, and where to add it'), ...failures(404) },
})

const rotate = createRoute({
  ...common,
  method: 'post',
  path: '/project/{id}/key/rotate',
  operationId: 'rotateDeployKey',
  summary: 'Make a new deploy key; the one before works until the new one was accepted',
  description: 'For the owner and operators.',
  request: { params },
  responses: { 200: answer(DeployKey, 'The new key'), ...failures(404) },
})

const offerSeal = createRoute({
  ...common,
  method: 'get',
  path: '/project/{id}/key/seal',
  operationId: 'offerDeployKeySeal',
  summary: 'A key to seal a deploy key with',
  description: 'For the owner and operators. It is good for one deploy key.',
  request: { params },
  responses: { 200: answer(OfferedKey, 'The key'), ...failures(404) },
})

const take = createRoute({
  ...common,
  method: 'put',
  path: '/project/{id}/key',
  operationId: 'setDeployKey',
  summary: 'Make a private ssh key that you have its deploy key; the one before works until this one was accepted',
  description:
    'For the owner and operators. The file of the private key (at most 64 KiB, without a passphrase), sealed with the key that was offered last: neither the database nor a log sees it.',
  middleware: [jsonBody],
  request: { params, body: body(SealedSecret) },
  responses: { 200: answer(DeployKey, 'Its public half'), ...failures(404, 413, 415) },
})

const duplicates = createRoute({
  ...common,
  method: 'get',
  path: '/duplicates',
  operationId: 'detectDuplicates',
  summary: 'Repositories that are cloned more than once',
  description: 'For operators, where keys are set: it looks around on the worker’s host.',
  responses: { 200: answer(Duplicates, 'Each with its clones, and what to do'), ...failures() },
})

export const projectLifeRoutes = (projects: ProjectService): RestApp => {
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
    c.json(await projects.offerKeySeal(requireCaller(c.get('caller')), c.req.valid('param').id, c.req.raw.signal), 200),
  )
  app.openapi(take, async (c) => {
    const { sealed } = c.req.valid('json')
    return c.json(
      await projects.takeKey(requireCaller(c.get('caller')), c.req.valid('param').id, sealed, c.req.raw.signal),
      200,
    )
  })
  app.openapi(duplicates, async (c) =>
    c.json(await projects.duplicates(requireCaller(c.get('caller')), c.req.raw.signal), 200),
  )
  return app
}
