// The environment of an OpenCode server that calls its providers through the gateway.

import type { OperatorConfig } from './opencode-config/config-sources.ts'
import { isObject, type JsonObject, listAt, merge, objectAt } from './opencode-config/json.ts'
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
    OPENCODE_CONFIG_CONTENT: JSON.stringify(openCodeConfig(options)),
  }
}

const openCodeConfig = ({ operator, providers, direct, gatewayUrl, token }: ServerEnvironmentOptions): JsonObject => {
  const provider = Object.fromEntries(
    providers.map(({ id, headers, options, exchangesToken }) => {
      const baseURL = `${gatewayUrl}/providers/${encodeURIComponent(id)}`
      const endpoint = 'endpoint' in objectAt(objectAt(objectAt(operator.config, 'provider'), id), 'options')
      return [
        id,
        {
          options: {
            ...options,
            ...(exchangesToken ? { googleAuthOptions: { credentials: exchangedCredentials(gatewayUrl, token) } } : {}),
            baseURL,
            ...(endpoint ? { endpoint: baseURL } : {}),
            apiKey: token,
            ...(Object.keys(headers).length > 0 ? { headers: masked(operator.config, id, token) } : {}),
          },
        },
      ]
    }),
  )
  const hasHosted = direct.has(HOSTED) || providers.some(({ id }) => id === HOSTED)
  const disabled = listAt(operator.config, 'disabled_providers') ?? []
  return merge(operator.content, {
    ...(providers.length > 0 ? { provider } : {}),
    ...(hasHosted ? {} : { disabled_providers: [...new Set([...disabled, HOSTED])] }),
  })
}

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
