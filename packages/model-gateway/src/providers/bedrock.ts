// Amazon Bedrock: its own API, and the OpenAI-compatible one (Mantle).

import { amazonDefaultCredentials, amazonSignature } from '../credentials/amazon.ts'
import { textAt } from '../opencode-config/json.ts'
import type { Credential } from './provider.ts'
import type { ProviderSource, Resolution } from './provider-source.ts'
import { configuredHeaders, withoutSlash } from './standard.ts'

export const BEDROCK_ID = 'amazon-bedrock'

/** Variables with which the default chain of credentials can find some. */
const CHAIN = [
  'AWS_ACCESS_KEY_ID',
  'AWS_WEB_IDENTITY_TOKEN_FILE',
  'AWS_CONTAINER_CREDENTIALS_RELATIVE_URI',
  'AWS_CONTAINER_CREDENTIALS_FULL_URI',
]

export const resolveBedrock = (source: ProviderSource): Resolution => {
  const { options, env } = source
  const region = textAt(options, 'region') ?? env.AWS_REGION ?? 'us-east-1'
  const credentialFor = findCredential(source)
  if (credentialFor === undefined) return undefined
  const own = textAt(options, 'endpoint') ?? textAt(options, 'baseURL')
  const runtime = own ?? `https://bedrock-runtime.${region}.amazonaws.com`
  const mantle = own ?? `https://bedrock-mantle.${region}.api.aws`
  const signsMantle = credentialFor('bedrock-mantle', region)
  return {
    id: BEDROCK_ID,
    endpoints: [
      { baseUrl: withoutSlash(runtime), path: /^\/model\//, credential: credentialFor('bedrock', region) },
      {
        baseUrl: own === undefined ? `${mantle}/v1` : withoutSlash(mantle),
        model: /^openai\.gpt-oss/,
        credential: signsMantle,
      },
      { baseUrl: own === undefined ? `${mantle}/openai/v1` : withoutSlash(mantle), credential: signsMantle },
    ],
    headers: configuredHeaders(options),
    // OpenCode prefixes a model's name by the region. It prefers `endpoint` to `baseURL`, which the caller sets.
    options: {
      region,
      ...blank(options, ['accessKeyId', 'secretAccessKey', 'sessionToken', 'profile']),
    },
  }
}

const findCredential = ({
  options,
  login,
  env,
}: ProviderSource): ((service: string, region: string) => Credential) | undefined => {
  const key = textAt(options, 'apiKey') ?? env.AWS_BEARER_TOKEN_BEDROCK ?? login?.key
  if (key) return () => ({ kind: 'key', key })
  const accessKeyId = textAt(options, 'accessKeyId') ?? env.AWS_ACCESS_KEY_ID
  const secretAccessKey = textAt(options, 'secretAccessKey') ?? env.AWS_SECRET_ACCESS_KEY
  const profile = textAt(options, 'profile') ?? env.AWS_PROFILE
  if (accessKeyId && secretAccessKey && profile === undefined) {
    const sessionToken = textAt(options, 'sessionToken') ?? env.AWS_SESSION_TOKEN
    const credentials = async () => ({ accessKeyId, secretAccessKey, sessionToken })
    return (service, region) => amazonSignature({ service, region, credentials })
  }
  if (profile === undefined && !CHAIN.some((name) => env[name])) return undefined
  const credentials = amazonDefaultCredentials(profile)
  return (service, region) => amazonSignature({ service, region, credentials })
}

/** Empties the secrets that OpenCode would otherwise read in its own configuration. */
const blank = (options: ProviderSource['options'], names: readonly string[]): Record<string, string> =>
  Object.fromEntries(names.filter((name) => name in options).map((name) => [name, '']))
