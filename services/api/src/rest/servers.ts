// GET /servers, PUT /servers/{project}.

import { createRoute, z } from '@hono/zod-openapi'
import { requireCaller, requireOperator } from '../access/caller.ts'
import { jsonBody } from '../http/request-body.ts'
import type { ServerService } from '../servers/service.ts'
import { answer, body, failures, newRestApp, type RestApp, SECURITY } from './route.ts'
import { ConfigureServer, Server, ServerList } from './schemas.ts'

const common = { tags: ['Operations'], security: SECURITY }

const list = createRoute({
  ...common,
  path: '/servers',
  method: 'get',
  operationId: 'listServers',
  summary: 'The OpenCode servers: shared ones and those that projects have for themselves',
  description: 'For operators, where keys are set.',
  responses: {
    200: answer(ServerList, 'Each with its process or container, its memory, what works on it'),
    ...failures(),
  },
})

const configure = createRoute({
  ...common,
  path: '/servers/{project}',
  method: 'put',
  operationId: 'configureServer',
  summary: 'Set the port, limits and environment of a project’s own server',
  description:
    'For operators. What is not given stays as it is; null takes the installation’s. Limits hold at once; port and environment from its next start on, which `restart` brings about.',
  middleware: [jsonBody],
  request: {
    params: z.object({ project: z.string().min(1).max(2_000).meta({ description: 'The project’s id' }) }),
    body: body(ConfigureServer),
  },
  responses: { 200: answer(Server, 'As it is now'), ...failures(404, 409, 413, 415) },
})

export const serverRoutes = (servers: ServerService): RestApp => {
  const app = newRestApp()
  app.openapi(list, async (c) => {
    requireOperator(requireCaller(c.get('caller')), 'the list of servers')
    const found = await servers.list()
    return c.json({ servers: [...found], total: found.length }, 200)
  })
  app.openapi(configure, async (c) => {
    const caller = requireOperator(requireCaller(c.get('caller')), 'a server’s settings')
    return c.json(await servers.configure(caller, c.req.valid('param').project, c.req.valid('json')), 200)
  })
  return app
}
