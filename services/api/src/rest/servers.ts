// GET /servers, PUT /servers/{project}.

import { createRoute, z } from '@hono/zod-openapi'
import { requireCaller, requireOperator } from '../access/caller.ts'
import { jsonBody } from '../http/request-body.ts'
import type { ServerService } from '../servers/service.ts'
import { failures, jsonBodyOf, jsonResponse, newRestApp, type RestApp, SECURITY } from './route.ts'
import { ConfigureServer, Server, ServerList } from './schemas.ts'

const common = { tags: ['Operations'], security: SECURITY }

const list = createRoute({
  ...common,
  path: '/servers',
  method: 'get',
  operationId: 'listServers',
  summary: 'List the OpenCode servers, shared and dedicated',
  description: 'Requires an operator key.',
  responses: {
    200: jsonResponse(ServerList, 'The servers with their process or container, memory, sessions and tasks'),
    ...failures(),
  },
})

const configure = createRoute({
  ...common,
  path: '/servers/{project}',
  method: 'put',
  operationId: 'configureServer',
  summary: "Set the port, limits and environment of a project's dedicated server",
  description:
    'Requires an operator key. Changes the given settings only; null restores the default of the installation. Limits apply immediately; port and environment apply at the next start of the server, which `restart` triggers.',
  middleware: [jsonBody],
  request: {
    params: z.object({ project: z.string().min(1).max(2_000).meta({ description: 'The project id' }) }),
    body: jsonBodyOf(ConfigureServer),
  },
  responses: { 200: jsonResponse(Server, 'The server with its new settings'), ...failures(404, 409, 413, 415) },
})

export const serverRoutes = (servers: ServerService): RestApp => {
  const app = newRestApp()
  app.openapi(list, async (c) => {
    requireOperator(requireCaller(c.get('caller')), 'listing servers')
    const found = await servers.list()
    return c.json({ servers: [...found], total: found.length }, 200)
  })
  app.openapi(configure, async (c) => {
    const caller = requireOperator(requireCaller(c.get('caller')), 'configuring a server')
    return c.json(await servers.configure(caller, c.req.valid('param').project, c.req.valid('json')), 200)
  })
  return app
}
