// Finds the providers that an environment, a configuration and stored logins configure.

import type { JsonObject } from '@switchyard/contracts'
import { listAt, objectAt } from '../opencode-config/json.ts'
import type { Logins } from '../opencode-config/logins.ts'
import { AZURE_IDS, resolveAzure } from './azure.ts'
import { BEDROCK_ID, resolveBedrock } from './bedrock.ts'
import { catalogIds, catalogProvider } from './catalog.ts'
import type { GatewayProvider, ProviderProblem } from './provider.ts'
import { activatingVariable, type ProviderSource, type Resolution } from './provider-source.ts'
import { resolveStandard } from './standard.ts'
import { resolveVertex, VERTEX_IDS } from './vertex.ts'

export type ResolvedProviders = {
  readonly providers: readonly GatewayProvider[]
  /** Configured providers that the gateway cannot call. */
  readonly problems: readonly ProviderProblem[]
}

export type ResolveOptions = {
  readonly env: Readonly<Record<string, string>>
  /** The operator's OpenCode configuration. */
  readonly config: JsonObject
  readonly logins: Logins
  /** Providers that OpenCode calls by itself. */
  readonly direct: ReadonlySet<string>
}

export const resolveProviders = ({ env, config, logins, direct }: ResolveOptions): ResolvedProviders => {
  const providers: GatewayProvider[] = []
  const problems: ProviderProblem[] = []
  const configs = objectAt(config, 'provider')
  const isEnabled = enabledBy(config)
  for (const id of new Set([...Object.keys(configs), ...catalogIds(), ...logins.keys.keys()])) {
    if (direct.has(id) || !isEnabled(id)) continue
    const own = objectAt(configs, id)
    const source: ProviderSource = {
      id,
      catalog: catalogProvider(id),
      config: own,
      options: objectAt(own, 'options'),
      login: logins.keys.get(id),
      env,
    }
    const resolved = resolve(source)
    if (resolved === undefined) continue
    if ('reason' in resolved) problems.push({ provider: id, reason: resolved.reason })
    else {
      const keyVariable = BY_CONFIGURATION.has(id) ? undefined : activatingVariable(source)
      providers.push({ ...resolved, ...(keyVariable === undefined ? {} : { keyVariable }) })
    }
  }
  return { providers, problems }
}

/** OpenCode recognizes these by their options, and would use a variable as a credential of another kind. */
const BY_CONFIGURATION: ReadonlySet<string> = new Set([BEDROCK_ID, ...VERTEX_IDS])

const resolve = (source: ProviderSource): Resolution => {
  if (source.id === BEDROCK_ID) return resolveBedrock(source)
  if (VERTEX_IDS.has(source.id)) return resolveVertex(source)
  if (AZURE_IDS.has(source.id)) return resolveAzure(source)
  return resolveStandard(source)
}

const enabledBy = (config: JsonObject): ((id: string) => boolean) => {
  const enabled = listAt(config, 'enabled_providers')
  const disabled = listAt(config, 'disabled_providers') ?? []
  return (id) => (enabled === undefined || enabled.includes(id)) && !disabled.includes(id)
}
