// Everything that says how one provider is reached: the operator's configuration, a login, and the environment.

import type { JsonObject } from '@switchyard/contracts'
import { textAt } from '../opencode-config/json.ts'
import type { Login } from '../opencode-config/logins.ts'
import type { CatalogProvider } from './catalog.ts'
import type { GatewayProvider } from './provider.ts'

export type ProviderSource = {
  readonly id: string
  readonly catalog: CatalogProvider | undefined
  /** `provider.<id>` of the configuration. */
  readonly config: JsonObject
  /** `provider.<id>.options`. */
  readonly options: JsonObject
  readonly login: Login | undefined
  readonly env: Readonly<Record<string, string>>
}

/** How a provider is reached, why it cannot be, or undefined if nothing configures it. */
export type Resolution = GatewayProvider | { readonly reason: string } | undefined

/** Variables in a provider's list that hold no key. */
const NOT_A_KEY = /_(HOST|ID|NAME|URL|ENDPOINT|REGION|ACCOUNT|PROJECT|LOCATION|CREDENTIALS)$/

/** In the order in which Google's own packages look. */
const GOOGLE_KEYS = ['GOOGLE_GENERATIVE_AI_API_KEY', 'GEMINI_API_KEY', 'GOOGLE_API_KEY']

const keyVariables = ({ id, catalog }: ProviderSource): readonly string[] =>
  id === 'google' ? GOOGLE_KEYS : (catalog?.env ?? []).filter((name) => !NOT_A_KEY.test(name))

/** @returns the variable to set if the provider has a login or one of its variables; undefined otherwise. */
export const activatingVariable = (source: ProviderSource): string | undefined => {
  const isActive = source.login !== undefined || source.catalog?.env.some((name) => source.env[name])
  return isActive ? keyVariables(source)[0] : undefined
}

/** Returns the key: OpenCode prefers the configuration to a login, and a login to the environment. */
export const keyOf = (source: ProviderSource): string | undefined =>
  textAt(source.options, 'apiKey') ??
  source.login?.key ??
  keyVariables(source)
    .map((name) => source.env[name])
    .find((value) => value)

/** Values of a login that OpenCode puts into addresses. */
const METADATA: Readonly<Record<string, string>> = {
  AZURE_RESOURCE_NAME: 'resourceName',
  AZURE_COGNITIVE_SERVICES_RESOURCE_NAME: 'resourceName',
  CLOUDFLARE_ACCOUNT_ID: 'accountId',
  SNOWFLAKE_ACCOUNT: 'account',
}

/** Returns the value of a variable in an address such as `https://${NAME}.example`. */
export const addressVariable = (source: ProviderSource, name: string): string | undefined => {
  const field = METADATA[name]
  const configured = field === undefined ? undefined : textAt(source.options, field)
  return configured ?? (field === undefined ? undefined : source.login?.metadata[field]) ?? source.env[name]
}

/** @returns the address with its variables put in, or the name of the first one that is not set. */
export const expandAddress = (
  source: ProviderSource,
  url: string,
): { readonly url: string } | { readonly missing: string } => {
  const missing = [...url.matchAll(/\$\{([^}]+)\}/g)]
    .map(([, name]) => name ?? '')
    .find((name) => !addressVariable(source, name))
  if (missing !== undefined) return { missing }
  return { url: url.replace(/\$\{([^}]+)\}/g, (_whole, name: string) => addressVariable(source, name) ?? '') }
}
