// The gateway's HTTP interface: `/providers/<id>/…` for OpenCode's SDKs, and a health check.

import { Hono } from 'hono'
import type { Logger } from 'pino'
import type { Dispatcher } from 'undici'
import { forward } from './forward.ts'
import { presentedToken } from './presented-token.ts'
import type { GatewayProvider } from './providers/provider.ts'
import type { ServerTokens } from './server-tokens.ts'
import { createTokenExchange } from './token-exchange.ts'
import { type ModelCall, sessionOf } from './usage/usage.ts'

/** The providers that one server may call, by id. */
export type ServerProviders = ReadonlyMap<string, GatewayProvider>

export type AppOptions = {
  readonly tokens: ServerTokens<ServerProviders>
  readonly dispatcher: Dispatcher
  readonly onCall: (call: ModelCall) => void
  readonly logger: Logger
}

/** A body that each SDK shows as a provider's error message. */
const failure = (status: number, message: string): Response =>
  Response.json({ type: 'error', error: { type: 'model_gateway_error', message }, message }, { status })

const PATH = /^\/providers\/([^/]+)(\/.*)?$/

export const createGatewayApp = ({ tokens, dispatcher, onCall, logger }: AppOptions): Hono => {
  const app = new Hono()
  app.get('/health', (context) => context.json({ status: 'ok' }))
  app.route(
    '/',
    createTokenExchange((token) => tokens.find(token) !== undefined),
  )
  app.all('/providers/*', async (context) => {
    const incoming = context.req.raw
    const presented = presentedToken(incoming.headers)
    const grant = presented && tokens.find(presented.token)
    if (!presented || !grant) return failure(401, 'the model gateway does not know this token')
    const url = new URL(incoming.url)
    const [, id, path = ''] = PATH.exec(url.pathname) ?? []
    const provider = id === undefined ? undefined : grant.value.get(decodeURIComponent(id))
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

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
