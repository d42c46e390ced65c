// The gateway's HTTP interface: `/providers/<id>/…` for OpenCode's SDKs, `/opencode/…` for the start of a server in another
// container, and a health check.

import { Hono } from 'hono'
import type { Logger } from 'pino'
import type { Dispatcher } from 'undici'
import { forward } from './forward.ts'
import { presentedToken } from './presented-token.ts'
import type { GatewayProvider } from './providers/provider.ts'
import type { RemoteSetup } from './server-environment.ts'
import type { ServerTokens } from './server-tokens.ts'
import { createTokenExchange } from './token-exchange.ts'
import { type ModelCall, sessionOf } from './usage/usage.ts'

export type GrantedAccess = {
  /** The providers that the server may call, by id. */
  readonly providers: ReadonlyMap<string, GatewayProvider>
  /** For a server that cannot be given an environment when it starts. */
  readonly setup: RemoteSetup
}

export type AppOptions = {
  readonly tokens: ServerTokens<GrantedAccess>
  readonly dispatcher: Dispatcher
  readonly onCall: (call: ModelCall) => void
  readonly logger: Logger
}

/** A body that each SDK shows as a provider's error message. */
const failure = (status: number, message: string): Response =>
  Response.json({ type: 'error', error: { type: 'model_gateway_error', message }, message }, { status })

const PATH = /^\/providers\/([^/]+)(\/.*)?$/

export const createGatewayApp = ({ tokens, dispatcher, onCall, logger }: AppOptions) => {
  const app = new Hono<{ Variables: { setup: RemoteSetup } }>()
  const setupOf = ({ headers }: Request): RemoteSetup | undefined => {
    const presented = presentedToken(headers)
    return presented && tokens.find(presented.token)?.value.setup
  }
  app.get('/health', (context) => context.json({ status: 'ok' }))
  app.route(
    '/',
    createTokenExchange((token) => tokens.find(token) !== undefined),
  )
  app.use('/opencode/*', async (context, next) => {
    const setup = setupOf(context.req.raw)
    if (!setup) return failure(401, 'the model gateway does not know this token')
    context.set('setup', setup)
    return await next()
  })
  app.get('/opencode/environment', (context) => context.text(environmentLines(context.get('setup').environment)))
  app.get('/opencode/config', (context) => context.json(context.get('setup').configFile))
  app.all('/providers/*', async (context) => {
    const incoming = context.req.raw
    const presented = presentedToken(incoming.headers)
    const grant = presented && tokens.find(presented.token)
    if (!presented || !grant) return failure(401, 'the model gateway does not know this token')
    const url = new URL(incoming.url)
    const [, id, path = ''] = PATH.exec(url.pathname) ?? []
    const provider = id === undefined ? undefined : grant.value.providers.get(decodeURIComponent(id))
    if (!provider) return failure(404, `the model gateway has no provider ${id}`)
    const call = { serverId: grant.serverId, provider: provider.id, ...sessionOf(incoming.headers) }
    try {
      const answer = await forward({
        provider,
        path,
        query: url.search,
        presented,
        incoming,
        dispatcher,
        onEnd: (result) => onCall({ ...call, ...result }),
      })
      return answer ?? failure(404, `the model gateway has no address of ${provider.id} for ${path}`)
    } catch (error) {
      if (incoming.signal.aborted) return failure(499, 'the client closed the request')
      logger.warn({ provider: provider.id, server_id: grant.serverId, err: error }, 'failed to call a model provider')
      return failure(502, `the model gateway could not call ${provider.id}: ${messageOf(error)}`)
    }
  })
  return app
}

/** One `NAME=value` per line. A value with a line break cannot be passed on this way. */
const environmentLines = (environment: Readonly<Record<string, string>>): string =>
  Object.entries(environment)
    .filter(([, value]) => !/[\r\n]/.test(value))
    .map(([name, value]) => `${name}=${value}\n`)
    .join('')

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
