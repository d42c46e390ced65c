// Google Vertex AI: Gemini, Claude, and the OpenAI-compatible models.

import { googleToken } from '../credentials/google.ts'
import { textAt } from '../opencode-config/json.ts'
import type { Credential } from './provider.ts'
import type { ProviderSource, Resolution } from './provider-source.ts'
import { configuredHeaders, withoutSlash } from './standard.ts'

export const VERTEX_IDS: ReadonlySet<string> = new Set(['google-vertex', 'google-vertex-anthropic'])

const PROJECT_VARIABLES = ['GOOGLE_VERTEX_PROJECT', 'GOOGLE_CLOUD_PROJECT', 'GCP_PROJECT', 'GCLOUD_PROJECT']
const LOCATION_VARIABLES = ['GOOGLE_VERTEX_LOCATION', 'GOOGLE_CLOUD_LOCATION', 'VERTEX_LOCATION']

const EXPRESS_ADDRESS = 'https://aiplatform.googleapis.com/v1/publishers/google'

export const resolveVertex = (source: ProviderSource): Resolution => {
  const { id, options, env } = source
  const project = textAt(options, 'project') ?? PROJECT_VARIABLES.map((name) => env[name]).find(Boolean)
  if (project === undefined) return undefined
  const location =
    textAt(options, 'location') ??
    LOCATION_VARIABLES.map((name) => env[name]).find(Boolean) ??
    (id === 'google-vertex' ? 'us-central1' : 'global')
  const credential = vertexCredential(source)
  const own = textAt(options, 'baseURL')
  const resource = `projects/${project}/locations/${location}`
  const origin = `https://${hostOf(location)}`
  // With a key alone, Gemini is called without a project.
  const gemini = credential.kind === 'key' && own === undefined ? EXPRESS_ADDRESS : undefined
  const address = (version: string, rest: string): string =>
    own === undefined ? `${origin}/${version}/${resource}/${rest}` : withoutSlash(own)
  return {
    id,
    endpoints: [
      { baseUrl: gemini ?? address('v1beta1', 'publishers/google'), path: /^\/models\//, credential },
      { baseUrl: address('v1', 'publishers/anthropic/models'), path: /:(streamRawPredict|rawPredict)$/, credential },
      { baseUrl: address('v1', 'endpoints/openapi'), credential },
    ],
    headers: configuredHeaders(options),
    // `fetch: null` replaces OpenCode's own function, which would ask Google for a token.
    options: { project, location, ...(id === 'google-vertex' ? { fetch: null } : {}) },
    exchangesToken: true,
  }
}

const vertexCredential = ({ options, login, env }: ProviderSource): Credential => {
  const key = textAt(options, 'apiKey') ?? login?.key ?? env.GOOGLE_VERTEX_API_KEY
  return key ? { kind: 'key', key } : googleToken(env.GOOGLE_APPLICATION_CREDENTIALS)
}

const hostOf = (location: string): string => {
  if (location === 'global') return 'aiplatform.googleapis.com'
  if (location === 'eu' || location === 'us') return `aiplatform.${location}.rep.googleapis.com`
  return `${location}-aiplatform.googleapis.com`
}
