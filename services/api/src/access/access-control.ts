// Middleware that identifies the caller: by API key, or without keys by loopback Host and Origin.

import { createHash, timingSafeEqual } from 'node:crypto'
import type { HttpBindings } from '@hono/node-server'
import type { ApiKey, Config } from '@switchyard/config'
import { SwitchyardError } from '@switchyard/contracts'
import type { MiddlewareHandler } from 'hono'
import { type Caller, LOCAL } from './caller.ts'

export type ApiEnv = {
  /** Absent when the app is called without a socket, as tests do. */
  Bindings: Partial<HttpBindings>
  Variables: {
    requestId: string
    /** Undefined on the open routes when the request has no valid key. */
    caller: Caller | undefined
  }
}

/** Routes that need no key. Without one, their responses contain less. */
const OPEN_PATHS: ReadonlySet<string> = new Set(['/', '/health', '/ready', '/openapi.json', '/docs'])

const LOOPBACK: ReadonlySet<string> = new Set(['localhost', '127.0.0.1', '[::1]'])

const MAX_AGENT_ID_LENGTH = 200

const sha256 = (text: string): Buffer => createHash('sha256').update(text).digest()

const parseBearer = (header: string | undefined): string | undefined => /^Bearer +(\S+) *$/i.exec(header ?? '')?.[1]

/** Compares a token with every key in constant time, so that timing reveals nothing about the keys. */
const createKeyFinder = (keys: readonly ApiKey[]) => {
  const hashed = keys.map((key) => ({ key, hash: sha256(key.token) }))
  return (token: string): ApiKey | undefined => {
    const hash = sha256(token)
    return hashed.filter((entry) => timingSafeEqual(entry.hash, hash)).map((entry) => entry.key)[0]
  }
}

const hostnameOf = (url: string): string | undefined => (URL.canParse(url) ? new URL(url).hostname : undefined)

const hostOf = (url: string): string | undefined => (URL.canParse(url) ? new URL(url).host : undefined)

const notAllowed = (message: string): SwitchyardError => new SwitchyardError('origin_not_allowed', message)

/** Rejects web pages of other sites, and pages whose name was rebound to this host (DNS rebinding). */
const checkLoopback = (host: string | undefined, origin: string | undefined): void => {
  const name = hostnameOf(`http://${host ?? ''}`)
  if (name === undefined || !LOOPBACK.has(name)) throw notAllowed(`Host ${JSON.stringify(host ?? '')} is not loopback`)
  if (origin === undefined) return
  const originName = hostnameOf(origin)
  if (!/^https?:\/\//.test(origin) || originName === undefined || !LOOPBACK.has(originName))
    throw notAllowed(`Origin ${JSON.stringify(origin)} is not loopback`)
}

/** Rejects web pages of other sites. Host can be any name, because another layer guards the port. */
const checkSameOrigin = (host: string | undefined, origin: string | undefined): void => {
  if (origin !== undefined && hostOf(origin) !== hostOf(`http://${host ?? ''}`))
    throw notAllowed(`Origin ${JSON.stringify(origin)} is another site`)
}

const parseAgentId = (header: string | undefined): string | undefined => {
  const id = header?.trim()
  if (!id) return undefined
  if (id.length > MAX_AGENT_ID_LENGTH)
    throw new SwitchyardError('invalid_request', `X-Agent-Id: is longer than ${MAX_AGENT_ID_LENGTH} characters`)
  return id
}

/**
 * Creates the middleware that sets the caller, or refuses with `unauthorized` or `origin_not_allowed`.
 *
 * @example app.use(accessControl(config.api))
 */
export const accessControl = (api: Pick<Config['api'], 'keys' | 'allowNoAuth'>): MiddlewareHandler<ApiEnv> => {
  const findKey = createKeyFinder(api.keys)

  const authenticate = (authorization: string | undefined, path: string): Omit<Caller, 'agentId'> | undefined => {
    const token = parseBearer(authorization)
    const key = token === undefined ? undefined : findKey(token)
    if (key) return { name: key.name, role: key.role }
    if (OPEN_PATHS.has(path)) return undefined
    const message = token === undefined ? 'the request has no API key' : 'the API key is unknown'
    throw new SwitchyardError('unauthorized', message)
  }

  return async (context, next) => {
    const { req } = context
    const agentId = parseAgentId(req.header('x-agent-id'))
    if (api.keys.length > 0) {
      const key = authenticate(req.header('authorization'), req.path)
      context.set('caller', key && { ...key, agentId })
    } else {
      if (api.allowNoAuth) checkSameOrigin(req.header('host'), req.header('origin'))
      else checkLoopback(req.header('host'), req.header('origin'))
      context.set('caller', { name: LOCAL, role: 'operator', agentId })
    }
    await next()
  }
}
