// Azure OpenAI and Azure AI Services.

import { textAt } from '../opencode-config/json.ts'
import type { Credential, Endpoint } from './provider.ts'
import { addressVariable, keyOf, type ProviderSource, type Resolution } from './provider-source.ts'
import { configuredHeaders, withoutSlash } from './standard.ts'

const VARIABLES: Readonly<Record<string, string>> = {
  azure: 'AZURE_RESOURCE_NAME',
  'azure-cognitive-services': 'AZURE_COGNITIVE_SERVICES_RESOURCE_NAME',
}

export const AZURE_IDS: ReadonlySet<string> = new Set(Object.keys(VARIABLES))

/**
 * OpenAI's models take the key in `api-key`, Anthropic's in `x-api-key`, all others as a bearer token: the header says which
 * of the resource's addresses is meant. For its own addresses the SDK adds `/v1` and `api-version`; for the gateway's it
 * does not, so they are added here.
 */
export const resolveAzure = (source: ProviderSource): Resolution => {
  const { id, options } = source
  const key = keyOf(source)
  if (key === undefined) return undefined
  const credential: Credential = { kind: 'key', key }
  const variable = VARIABLES[id] ?? ''
  const resource = addressVariable(source, variable)
  const configured = textAt(options, 'baseURL')
  if (resource === undefined && configured === undefined) return { reason: `${variable} is not set` }
  const own = configured ?? ownAddress(id, resource ?? '')
  const services = `https://${resource}.services.ai.azure.com`
  const others: readonly Endpoint[] =
    resource === undefined
      ? []
      : [
          { baseUrl: `${services}/anthropic/v1`, credential, keyHeader: 'x-api-key' },
          { baseUrl: `${services}/models`, credential, keyHeader: 'authorization' },
        ]
  return {
    id,
    endpoints: [...openAiEndpoints(withoutSlash(own), options, credential), ...others],
    headers: configuredHeaders(options),
    options: { resourceName: 'switchyard' },
  }
}

const ownAddress = (id: string, resource: string): string =>
  id === 'azure'
    ? `https://${resource}.openai.azure.com/openai`
    : `https://${resource}.cognitiveservices.azure.com/openai`

const openAiEndpoints = (
  baseUrl: string,
  options: ProviderSource['options'],
  credential: Credential,
): readonly Endpoint[] => {
  const version = textAt(options, 'apiVersion') ?? 'v1'
  const host = new URL(baseUrl).hostname
  const isOwn = host.endsWith('.openai.azure.com')
  const isVersioned = isOwn || (host.endsWith('.cognitiveservices.azure.com') && !baseUrl.endsWith('/v1'))
  return [
    { baseUrl, credential, keyHeader: 'api-key', path: /^\/deployments\//, query: { 'api-version': version } },
    {
      baseUrl: isVersioned ? `${baseUrl}/v1` : baseUrl,
      credential,
      keyHeader: 'api-key',
      ...(isOwn ? { query: { 'api-version': version } } : {}),
    },
  ]
}
