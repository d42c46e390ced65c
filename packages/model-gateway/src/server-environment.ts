// The environment of an OpenCode server that calls its providers through the gateway.

import { isObject, type JsonObject, mergeObjects } from '@switchyard/contracts'
import type { OperatorConfig } from './opencode-config/config-sources.ts'
import { listAt, objectAt } from './opencode-config/json.ts'
import { isProviderVariable } from './providers/catalog.ts'
import { type GatewayProvider, KEY_HEADERS } from './providers/provider.ts'
import { exchangedCredentials } from './token-exchange.ts'

type Environment = Readonly<Record<string, string>>

/** OpenCode's hosted models, some of which need no key. */
const HOSTED = 'opencode'

export type ServerEnvironmentOptions = {
  readonly env: Environment
  readonly operator: OperatorConfig
  readonly providers: readonly GatewayProvider[]
  /** Providers that OpenCode calls by itself: it keeps their variables. */
  readonly direct: ReadonlyMap<string, readonly string[]>
  /** The gateway's address, as the server sees it. */
  readonly gatewayUrl: string
  readonly token: string
}

/** What a server in another container needs of the environment that it would have here. */
export type RemoteSetup = {
  readonly environment: Environment
  /** The operator's configuration file without keys. */
  readonly configFile: JsonObject
}

/** Variables that name files of this container. */
const LOCAL = ['OPENCODE_CONFIG', 'OPENCODE_CONFIG_DIR']

export const remoteSetup = (options: ServerEnvironmentOptions): RemoteSetup => {
  const { providers, direct, operator } = options
  const names = new Set([...providers.flatMap(({ keyVariable }) => keyVariable ?? []), ...[...direct.values()].flat()])
  const environment = Object.entries(gatewayEnvironment(options)).filter(
    ([name]) => names.has(name) || (name.startsWith('OPENCODE_') && !LOCAL.includes(name)),
  )
  return {
    environment: Object.fromEntries(environment),
    configFile: mergeObjects(operator.file, {
      provider: providerConfig(options, Object.keys(objectAt(operator.file, 'provider'))),
    }),
  }
}

/** Returns the environment without keys, and with a configuration that leads every provider to the gateway. */
export const gatewayEnvironment = (options: ServerEnvironmentOptions): Environment => {
  const { env, operator, direct } = options
  const allowed = new Set([...direct.values()].flat())
  const kept = Object.entries(env).filter(
    ([name]) => allowed.has(name) || !(isProviderVariable(name) || operator.variables.has(name)),
  )
  const tokens = options.providers.flatMap(({ keyVariable }) => (keyVariable ? [[keyVariable, options.token]] : []))
  return {
    ...Object.fromEntries([...kept, ...tokens]),
    ...withoutProxy(env, new URL(options.gatewayUrl).hostname),
    OPENCODE_CONFIG_CONTENT: JSON.stringify(openCodeConfig(options)),
  }
}

/** OpenCode calls the gateway itself, even if it reaches everything else through a proxy. */
const withoutProxy = (env: Environment, host: string): Environment => {
  if (!Object.keys(env).some((name) => /^(HTTPS?|ALL)_PROXY$/i.test(name))) return {}
  const names = ['NO_PROXY', 'no_proxy'].filter((name) => name === 'NO_PROXY' || env[name])
  return Object.fromEntries(names.map((name) => [name, [env[name], host].filter(Boolean).join(',')]))
}

const openCodeConfig = (options: ServerEnvironmentOptions): JsonObject => {
  const { operator, providers, direct } = options
  const hasHosted = direct.has(HOSTED) || providers.some(({ id }) => id === HOSTED)
  const disabled = listAt(operator.config, 'disabled_providers') ?? []
  return mergeObjects(operator.content, {
    ...(providers.length > 0 ? { provider: providerConfig(options) } : {}),
    ...(hasHosted ? {} : { disabled_providers: [...new Set([...disabled, HOSTED])] }),
  })
}

/** @param only - the providers to configure. Default: all. */
const providerConfig = (
  { operator, providers, gatewayUrl, token }: ServerEnvironmentOptions,
  only?: readonly string[],
): JsonObject =>
  Object.fromEntries(
    providers
      .filter(({ id }) => only === undefined || only.includes(id))
      .map(({ id, headers, options, exchangesToken }) => {
        const baseURL = `${gatewayUrl}/providers/${encodeURIComponent(id)}`
        const endpoint = 'endpoint' in objectAt(objectAt(objectAt(operator.config, 'provider'), id), 'options')
        const credentials = exchangesToken
          ? { googleAuthOptions: { credentials: exchangedCredentials(gatewayUrl, token) } }
          : {}
        return [
          id,
          {
            options: {
              ...options,
              ...credentials,
              baseURL,
              ...(endpoint ? { endpoint: baseURL } : {}),
              apiKey: token,
              ...(Object.keys(headers).length > 0 ? { headers: masked(operator.config, id, token) } : {}),
            },
          },
        ]
      }),
  )

/** Replaces the values of the operator's headers: the gateway sends the real ones. */
const masked = (config: JsonObject, id: string, token: string): Record<string, string> => {
  const headers = objectAt(objectAt(objectAt(objectAt(config, 'provider'), id), 'options'), 'headers')
  return Object.fromEntries(
    Object.keys(isObject(headers) ? headers : {}).map((name) => {
      if (name.toLowerCase() === 'authorization') return [name, `Bearer ${token}`]
      return [name, KEY_HEADERS.some((header) => header === name.toLowerCase()) ? token : 'set by the model gateway']
    }),
  )
}
