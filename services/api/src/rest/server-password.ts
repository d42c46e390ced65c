// GET and PUT /servers/{project}/password.

import { createRoute, z } from '@hono/zod-openapi'
import { requireCaller, requireOperator } from '../access/caller.ts'
import { jsonBody } from '../http/request-body.ts'
import type { ServerPasswords } from '../servers/server-passwords.ts'
import { failures, jsonBodyOf, jsonResponse, newRestApp, type RestApp, SECURITY } from './route.ts'
import { OfferedKey, SealedSecret } from './schemas.ts'

const common = { tags: ['Operations'], security: SECURITY }
const PATH = '/servers/{project}/password'
const params = z.object({ project: z.string().min(1).max(2_000).meta({ description: 'The project id' }) })
const ACTION = 'setting a server password'

const createKey = createRoute({
  ...common,
  method: 'get',
  path: PATH,
  operationId: 'offerServerPasswordKey',
  summary: 'Get a key to seal a server password with',
  description: 'Requires an operator key. The returned key seals one password. No call returns the password itself.',
  request: { params },
  responses: { 200: jsonResponse(OfferedKey, 'The public key'), ...failures(404, 409) },
})

const set = createRoute({
  ...common,
  method: 'put',
  path: PATH,
  operationId: 'setServerPassword',
  summary: "Set the password of a project's dedicated server",
  description:
    'Requires an operator key. Send 8 to 190 printable characters without a colon, sealed with the latest key, so that the password appears neither in the database nor in a log. The server restarts with the new password.',
  middleware: [jsonBody],
  request: { params, body: jsonBodyOf(SealedSecret) },
  responses: { 204: { description: 'The password is set' }, ...failures(404, 409, 413, 415) },
})

export const serverPasswordRoutes = (passwords: ServerPasswords): RestApp => {
  const app = newRestApp()
  app.openapi(createKey, async (c) => {
    const caller = requireOperator(requireCaller(c.get('caller')), ACTION)
    return c.json(await passwords.createKey(caller, c.req.valid('param').project), 200)
  })
  app.openapi(set, async (c) => {
    const caller = requireOperator(requireCaller(c.get('caller')), ACTION)
    await passwords.set(caller, c.req.valid('param').project, c.req.valid('json').sealed)
    return c.body(null, 204)
  })
  return app
}
