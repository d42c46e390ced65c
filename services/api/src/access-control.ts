// Who may call: keys where there are some; otherwise loopback only, its Host and Origin checked.

import { createHash, timingSafeEqual } from 'node:crypto'
import type { ApiKey, Config } from '@switchyard/config'
import { SwitchyardError } from '@switchyard/contracts'
import type { MiddlewareHandler } from 'hono'
import { type ApiEnv, type Caller, LOCAL } from './caller.ts'

/** Answered without a key, with less in the answer. */
const OPEN_PATHS: ReadonlySet<string> = new Set(['/health', '/ready', '/openapi.json', '/docs'])

const LOOPBACK: ReadonlySet<string> = new Set(['localhost', '127.0.0.1', '[::1]'])

const sha256 = (text: string): Buffer => createHash('sha256').update(text).digest()

const bearer = (header: string | undefined): string | undefined => /^Bearer +(\S+) *$/i.exec(header ?? '')?.[1]

/** Compares with every key, so that the time tells nothing of which one was near. */
const keyFinder = (keys: readonly ApiKey[]) => {
  const hashed = keys.map((key) => ({ key, hash: sha256(key.token) }))
  return (token: string): ApiKey | undefined => {
    const hash = sha256(token)
    return hashed.filter((entry) => timingSafeEqual(entry.hash, hash)).map((entry) => entry.key)[0]
  }
}

const hostnameOf = (url: string): string | undefined => (URL.canParse(url) ? new URL(url).hostname : undefined)

const hostOf = (url: string): string | undefined => (URL.canParse(url) ? new URL(url).host : undefined)

const refuse = (message: string): SwitchyardError => new SwitchyardError('origin_not_allowed', message)

/** Keeps out web pages that were made to resolve to this host (DNS rebinding), and those of other sites. */
const checkLoopback = (host: string | undefined, origin: string | undefined): void => {
  const name = hostnameOf(`http://${host ?? ''}`)
  if (name === undefined || !LOOPBACK.has(name)) throw refuse(`Host ${JSON.stringify(host ?? '')} is not loopback`)
  if (origin === undefined) return
  const from = hostnameOf(origin)
  if (!/^https?:\/\//.test(origin) || from === undefined || !LOOPBACK.has(from))
    throw refuse(`Origin ${JSON.stringify(origin)} is not loopback`)
}

/** Another layer guards the port and knows the names it is reached by; a page of another site is none of ours. */
const checkSameOrigin = (host: string | undefined, origin: string | undefined): void => {
  if (origin !== undefined && hostOf(origin) !== hostOf(`http://${host ?? ''}`))
    throw refuse(`Origin ${JSON.stringify(origin)} is another site`)
}

const agentIdOf = (header: string | undefined): string | undefined => {
  const id = header?.trim()
  if (!id) return undefined
  if (id.length > 200) throw new SwitchyardError('invalid_request', 'X-Agent-Id: is longer than 200 characters')
  return id
}

/**
 * Sets the caller, or refuses with `unauthorized` or `origin_not_allowed`.
 *
 * @example app.use(accessControl(config.api))
 */
export const accessControl = (api: Pick<Config['api'], 'keys' | 'allowNoAuth'>): MiddlewareHandler<ApiEnv> => {
  const findKey = keyFinder(api.keys)

  const withKeys = (authorization: string | undefined, path: string): Omit<Caller, 'agentId'> | undefined => {
    const token = bearer(authorization)
    const key = token === undefined ? undefined : findKey(token)
    if (key) return { name: key.name, role: key.role }
    if (OPEN_PATHS.has(path)) return undefined
    throw new SwitchyardError('unauthorized', token === undefined ? 'no key was sent' : 'the key is not known')
  }

  return async (context, next) => {
    const { req } = context
    const agentId = agentIdOf(req.header('x-agent-id'))
    if (api.keys.length > 0) {
      const key = withKeys(req.header('authorization'), req.path)
      context.set('caller', key && { ...key, agentId })
    } else {
      if (api.allowNoAuth) checkSameOrigin(req.header('host'), req.header('origin'))
      else checkLoopback(req.header('host'), req.header('origin'))
      context.set('caller', { name: LOCAL, role: 'operator', agentId })
    }
    await next()
  }
}

/** @param what - is asked for, for the message. @throws SwitchyardError `forbidden` */
export const requireOperator = (caller: Caller, what: string): Caller => {
  if (caller.role === 'operator') return caller
  throw new SwitchyardError('forbidden', `${what} is for an operator’s key`)
}

/** The caller of a route that is not open. */
export const callerOf = (caller: Caller | undefined): Caller => {
  if (!caller) throw new SwitchyardError('unauthorized', 'no key was sent')
  return caller
}
