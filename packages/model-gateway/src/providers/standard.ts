// Providers that take a key in a header, which are most of them.

import { textAt } from '../opencode-config/json.ts'
import { type CatalogApi, PACKAGE_URLS } from './catalog.ts'
import type { Credential, Endpoint, KeyHeader } from './provider.ts'
import { expandAddress, keyOf, type ProviderSource, type Resolution } from './provider-source.ts'

const OPENAI_COMPATIBLE = '@ai-sdk/openai-compatible'

/** The header in which an SDK package sends the key. All others use `Authorization`. */
const KEY_HEADER: Readonly<Record<string, KeyHeader>> = {
  '@ai-sdk/anthropic': 'x-api-key',
  '@ai-sdk/google': 'x-goog-api-key',
}

/** Paths that distinguish the packages of one provider which share a header. */
const PATHS: Readonly<Record<string, RegExp>> = {
  '@ai-sdk/openai': /^\/(responses|embeddings)/,
  '@ai-sdk/cohere': /^\/chat$/,
}

/** Variables in which an SDK package looks for its address. */
const ADDRESS_VARIABLES: Readonly<Record<string, string>> = {
  anthropic: 'ANTHROPIC_BASE_URL',
  openai: 'OPENAI_BASE_URL',
}

export const resolveStandard = (source: ProviderSource): Resolution => {
  const { id, config, options, env } = source
  const key = keyOf(source)
  const configured =
    textAt(options, 'baseURL') ?? textAt(config, 'api') ?? env[ADDRESS_VARIABLES[id] ?? ''] ?? undefined
  // Nothing but an address of the operator's own makes a provider without a key.
  if (key === undefined && configured === undefined) return undefined
  const credential: Credential = key === undefined ? { kind: 'none' } : { kind: 'key', key }
  const account = id === 'snowflake-cortex' ? { account: 'switchyard' } : {}
  if (configured !== undefined) {
    const address = expandAddress(source, configured)
    if ('missing' in address) return { reason: `${address.missing} is not set` }
    return provider(source, [{ baseUrl: withoutSlash(address.url), credential }], account)
  }
  const endpoints: Endpoint[] = []
  const reasons: string[] = []
  for (const api of apisOf(source)) {
    const url = api.url ?? PACKAGE_URLS[api.npm]
    if (url === undefined) {
      reasons.push(`its package ${api.npm} has an address that the gateway does not know`)
      continue
    }
    const address = expandAddress(source, url)
    if ('missing' in address) reasons.push(`${address.missing} is not set`)
    else endpoints.push(endpointOf(api.npm, address.url, credential))
  }
  const [reason] = reasons
  if (endpoints.length === 0) return { reason: reason ?? 'no address is known; set `options.baseURL`' }
  // An endpoint for certain paths comes before one for all.
  return provider(source, endpoints.toSorted(byPrecision), account)
}

const apisOf = ({ config, catalog }: ProviderSource): readonly CatalogApi[] => {
  const npm = textAt(config, 'npm')
  return npm === undefined ? (catalog?.apis ?? []) : [{ npm }]
}

const endpointOf = (npm: string, url: string, credential: Credential): Endpoint => {
  const path = PATHS[npm]
  return {
    baseUrl: withoutSlash(url),
    credential,
    keyHeader: KEY_HEADER[npm] ?? 'authorization',
    ...(path === undefined || npm === OPENAI_COMPATIBLE ? {} : { path }),
  }
}

const byPrecision = (one: Endpoint, other: Endpoint): number =>
  Number(other.path !== undefined) - Number(one.path !== undefined)

const provider = (
  { id, options }: ProviderSource,
  endpoints: readonly Endpoint[],
  extra: Readonly<Record<string, unknown>>,
): Resolution => ({ id, endpoints, headers: configuredHeaders(options), options: extra })

/** Returns the headers that the operator configured for a provider. */
export const configuredHeaders = (options: ProviderSource['options']): Readonly<Record<string, string>> => {
  const headers = options.headers
  if (typeof headers !== 'object' || headers === null) return {}
  return Object.fromEntries(
    Object.entries(headers)
      .filter((entry): entry is [string, string] => typeof entry[1] === 'string')
      .map(([name, value]) => [name.toLowerCase(), value]),
  )
}

export const withoutSlash = (url: string): string => url.replace(/\/+$/, '')
