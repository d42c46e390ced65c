// The providers that OpenCode knows: their variables, and which SDK package calls which address.

import { readFileSync } from 'node:fs'

export type CatalogApi = {
  /** The SDK package that OpenCode uses for some or all of the provider's models. */
  readonly npm: string
  /** May contain `${VARIABLE}`. Absent where the package has an address of its own. */
  readonly url?: string
}

export type CatalogProvider = {
  readonly id: string
  /** Variables from which OpenCode configures the provider. */
  readonly env: readonly string[]
  readonly apis: readonly CatalogApi[]
}

/** Read from the pinned OpenCode; `opencode.services.test.ts` compares the two. */
const PROVIDERS: readonly CatalogProvider[] = JSON.parse(
  readFileSync(new URL('./catalog.json', import.meta.url), 'utf8'),
)

const BY_ID: ReadonlyMap<string, CatalogProvider> = new Map(PROVIDERS.map((provider) => [provider.id, provider]))

export const catalogIds = (): readonly string[] => [...BY_ID.keys()]

export const catalogProvider = (id: string): CatalogProvider | undefined => BY_ID.get(id)

/** Addresses that the SDK packages use when OpenCode names none. */
export const PACKAGE_URLS: Readonly<Record<string, string>> = {
  '@ai-sdk/anthropic': 'https://api.anthropic.com/v1',
  '@ai-sdk/cerebras': 'https://api.cerebras.ai/v1',
  '@ai-sdk/cohere': 'https://api.cohere.com/v2',
  '@ai-sdk/deepinfra': 'https://api.deepinfra.com/v1',
  '@ai-sdk/gateway': 'https://ai-gateway.vercel.sh/v3/ai',
  '@ai-sdk/google': 'https://generativelanguage.googleapis.com/v1beta',
  '@ai-sdk/groq': 'https://api.groq.com/openai/v1',
  '@ai-sdk/mistral': 'https://api.mistral.ai/v1',
  '@ai-sdk/openai': 'https://api.openai.com/v1',
  '@ai-sdk/perplexity': 'https://api.perplexity.ai',
  '@ai-sdk/togetherai': 'https://api.together.xyz/v1',
  '@ai-sdk/vercel': 'https://api.v0.dev/v1',
  '@ai-sdk/xai': 'https://api.x.ai/v1',
  '@openrouter/ai-sdk-provider': 'https://openrouter.ai/api/v1',
  'venice-ai-sdk-provider': 'https://api.venice.ai/api/v1',
}

/** Variables that hold a key although their name is in no provider's list, and addresses that may hold one. */
const SECRET_NAME =
  /_API_KEY$|^(ANTHROPIC|AWS|AZURE|CLOUDFLARE|GOOGLE|OPENAI|VERTEX)_.*(KEY|TOKEN|SECRET|CREDENTIALS|PROFILE|BASE_URL)/

/** Variables with which OpenCode receives configuration and logins that may contain keys. */
const OPENCODE_SECRETS: ReadonlySet<string> = new Set(['OPENCODE_AUTH_CONTENT'])

const CATALOG_VARIABLES: ReadonlySet<string> = new Set(PROVIDERS.flatMap(({ env }) => env))

/** Returns whether a variable configures a model provider, so that OpenCode must not receive it. */
export const isProviderVariable = (name: string): boolean =>
  CATALOG_VARIABLES.has(name) || SECRET_NAME.test(name) || OPENCODE_SECRETS.has(name)
