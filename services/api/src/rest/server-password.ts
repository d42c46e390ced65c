// GET and PUT /servers/{project}/password.

import { createRoute, z } from '@hono/zod-openapi'
import { requireCaller, requireOperator } from '../access/caller.ts'
import { jsonBody } from '../http/request-body.ts'
import type { ServerPasswords } from '../servers/password.ts'
import { answer, body, failures, newRestApp, type RestApp, SECURITY } from './route.ts'
import { OfferedKey, SealedSecret } from './schemas.ts'

const common = { tags: ['Operations'], security: SECURITY }
const PATH = '/servers/{project}/password'
const params = z.object({ project: z.string().min(1).max(2_000).meta({ description: 'The project’s id' }) })
const WHAT = 'a server’s password'

const offer = createRoute({
  ...common,
  method: 'get',
  path: PATH,
  operationId: 'offerServerPasswordKey',
  summary: 'A key to seal a password for a project’s own server with',
  description: 'For operators. The key is good for one password; the password itself is never shown.',
  request: { params },
  responses: { 200: answer(OfferedKey, 'The key'), ...failures(404, 409) },
})

const set = createRoute({
  ...common,
  method: 'put',
  path: PATH,
  operationId: 'setServerPassword',
  summary: 'Set the password of a project’s own server',
  description:
    'For operators. 8 to 190 printable characters without a colon, sealed with the key that was offered last: neither the database nor a log sees it. The server is started anew with it.',
  middleware: [jsonBody],
  request: { params, body: body(SealedSecret) },
  responses: { 204: { description: 'It is set' }, ...failures(404, 409, 413, 415) },
})

export const serverPasswordRoutes = (passwords: ServerPasswords): RestApp => {
  const app = newRestApp()
  app.openapi(offer, async (c) => {
    const caller = requireOperator(requireCaller(c.get('caller')), WHAT)
    return c.json(await passwords.offerKey(caller, c.req.valid('param').project), 200)
  })
  app.openapi(set, async (c) => {
    const caller = requireOperator(requireCaller(c.get('caller')), WHAT)
    await passwords.set(caller, c.req.valid('param').project, c.req.valid('json').sealed)
    return c.body(null, 204)
  })
  return app
}
