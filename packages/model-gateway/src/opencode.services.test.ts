// Each kind of provider, called by the real OpenCode through the gateway.

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createLogger } from '@switchyard/config'
import { type OpenCodeProcess, startOpenCode } from '@switchyard/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { expectedSignature } from './amazon-signature.fixture.ts'
import { ModelGateway, type ServerAccess } from './model-gateway.ts'
import { catalogIds, catalogProvider } from './providers/catalog.ts'
import {
  ANSWER,
  ANSWER_TOKENS,
  GOOGLE_TOKEN,
  type ScriptedProviders,
  startScriptedProviders,
} from './scripted-providers.fixture.ts'
import type { ModelCall } from './usage/usage.ts'

const amazon = { accessKeyId: 'AKIATEST', secretAccessKey: 'amazon-secret' }
const model = { limit: { context: 100_000, output: 10_000 }, tool_call: false }

/** OpenCode asks for these by itself. */
const BETA = expect.stringContaining('interleaved-thinking')

let upstream: ScriptedProviders
let gateway: ModelGateway
let opencode: OpenCodeProcess
let access: ServerAccess
let directory: string
const calls: ModelCall[] = []

/** As an operator would write it, with the scripted providers in place of the real ones. */
const operatorConfig = (url: string) => ({
  small_model: 'custom/m',
  provider: {
    custom: {
      npm: '@ai-sdk/openai-compatible',
      options: { baseURL: `${url}/custom/v1`, apiKey: 'custom-key', headers: { 'X-Team': 'team-secret' } },
      models: { m: model },
    },
    google: { options: { baseURL: `${url}/google/v1beta` } },
    azure: { options: { baseURL: `${url}/azure/openai/v1` } },
    'amazon-bedrock': { options: { endpoint: `${url}/bedrock`, region: 'eu-west-1' } },
    'google-vertex': { options: { baseURL: `${url}/vertex`, project: 'p', location: 'l' } },
    groq: { options: { baseURL: `${url}/groq/v1` } },
    mistral: { options: { baseURL: `${url}/mistral/v1` } },
    xai: { options: { baseURL: `${url}/xai/v1` } },
    openrouter: { options: { baseURL: `${url}/openrouter/v1` } },
    deepseek: { options: { baseURL: `${url}/deepseek` } },
    togetherai: { options: { baseURL: `${url}/together/v1` } },
  },
})

const keys = {
  ANTHROPIC_API_KEY: 'anthropic-key',
  OPENAI_API_KEY: 'openai-key',
  GEMINI_API_KEY: 'gemini-key',
  AZURE_API_KEY: 'azure-key',
  AZURE_RESOURCE_NAME: 'resource',
  AWS_ACCESS_KEY_ID: amazon.accessKeyId,
  AWS_SECRET_ACCESS_KEY: amazon.secretAccessKey,
  GROQ_API_KEY: 'groq-key',
  MISTRAL_API_KEY: 'mistral-key',
  XAI_API_KEY: 'xai-key',
  OPENROUTER_API_KEY: 'openrouter-key',
  DEEPSEEK_API_KEY: 'deepseek-key',
  TOGETHER_API_KEY: 'together-key',
}

beforeAll(async () => {
  upstream = await startScriptedProviders()
  directory = await mkdtemp(path.join(tmpdir(), 'switchyard-gateway-'))
  gateway = new ModelGateway({
    host: '127.0.0.1',
    port: 0,
    onCall: (call) => calls.push(call),
    logger: createLogger({ log: { level: 'silent' } }, 'test'),
  })
  await gateway.listen()
  access = await gateway.open('server', {
    ...keys,
    HOME: directory,
    GOOGLE_APPLICATION_CREDENTIALS: await googleCredentials(upstream.url),
    ANTHROPIC_BASE_URL: `${upstream.url}/anthropic/v1`,
    OPENAI_BASE_URL: `${upstream.url}/openai/v1`,
    OPENCODE_CONFIG_CONTENT: JSON.stringify(operatorConfig(upstream.url)),
  })
  opencode = await startOpenCode({ modelUrl: upstream.url, env: { ...access.environment } })
})

afterAll(async () => {
  await opencode?.close()
  await gateway?.close()
  await upstream?.close()
  if (directory) await rm(directory, { recursive: true, force: true })
})

/** Sends a prompt to a model, and returns the answer and the request that the provider received. */
const prompt = async (providerID: string, named: string) => {
  const client = opencode.client(directory)
  const modelID = named || (await firstModel(providerID))
  const session = await client.session.create({ title: 'fixed title' }, { throwOnError: true })
  const before = upstream.requests.length
  const reply = await client.session.prompt(
    { sessionID: session.data.id, model: { providerID, modelID }, parts: [{ type: 'text', text: 'Do it.' }] },
    { throwOnError: true },
  )
  const said = reply.data.parts.flatMap((part) => (part.type === 'text' ? [part.text] : [])).join('')
  const request = upstream.requests.slice(before).find(({ url }) => !url.endsWith('/sts'))
  return { said, error: reply.data.info.error, request, sessionId: session.data.id }
}

/** Writes credentials that are exchanged for an access token of the scripted Google. */
const googleCredentials = async (url: string): Promise<string> => {
  const subject = path.join(directory, 'subject')
  const file = path.join(directory, 'google.json')
  await writeFile(subject, 'subject-token')
  const credentials = {
    type: 'external_account',
    audience: 'audience',
    subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
    token_url: `${url}/sts`,
    credential_source: { file: subject },
  }
  await writeFile(file, JSON.stringify(credentials))
  return file
}

const firstModel = async (id: string): Promise<string> => {
  const { data } = await opencode.client(directory).config.providers({}, { throwOnError: true })
  return Object.keys(data.providers.find((provider) => provider.id === id)?.models ?? {})[0] ?? ''
}

describe('a provider called by OpenCode through the gateway', () => {
  it.each([
    ['custom', 'm', '/custom/v1/chat/completions', { authorization: 'Bearer custom-key', 'x-team': 'team-secret' }],
    [
      'anthropic',
      'claude-sonnet-4-5',
      '/anthropic/v1/messages',
      { 'x-api-key': 'anthropic-key', 'anthropic-beta': BETA },
    ],
    ['openai', 'gpt-5', '/openai/v1/responses', { authorization: 'Bearer openai-key' }],
    [
      'google',
      'gemini-2.5-flash',
      '/google/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse',
      { 'x-goog-api-key': 'gemini-key' },
    ],
    ['azure', 'gpt-5', '/azure/openai/v1/responses', { 'api-key': 'azure-key' }],
    ['groq', 'llama-3.3-70b-versatile', '/groq/v1/chat/completions', { authorization: 'Bearer groq-key' }],
    ['mistral', 'mistral-large-latest', '/mistral/v1/chat/completions', { authorization: 'Bearer mistral-key' }],
    ['xai', 'grok-4.3', '/xai/v1/responses', { authorization: 'Bearer xai-key' }],
    ['openrouter', 'openai/gpt-5', '/openrouter/v1/chat/completions', { authorization: 'Bearer openrouter-key' }],
    ['deepseek', '', '/deepseek/chat/completions', { authorization: 'Bearer deepseek-key' }],
    ['togetherai', '', '/together/v1/chat/completions', { authorization: 'Bearer together-key' }],
  ])('answers for %s', async (provider, id, url, headers) => {
    const { said, error, request } = await prompt(provider, id)
    expect({ said, error }).toEqual({ said: ANSWER, error: undefined })
    expect(request).toMatchObject({ method: 'POST', url, headers })
  })

  it('signs the calls to Amazon Bedrock', async () => {
    const { said, error, request } = await prompt('amazon-bedrock', 'anthropic.claude-sonnet-4-5-20250929-v1:0')
    expect({ said, error }).toEqual({ said: ANSWER, error: undefined })
    expect(request?.url).toBe('/bedrock/model/eu.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse-stream')
    expect(request?.headers.authorization).toContain('/eu-west-1/bedrock/aws4_request')
    expect(request && expectedSignature(request, amazon)).toBe(request?.headers.authorization)
  })

  it('is one of the catalog, which lists what OpenCode knows', async () => {
    const { data } = await opencode.client(directory).provider.list({}, { throwOnError: true })
    const known = data.all.filter(({ id }) => id !== 'custom').map(({ id, env }) => ({ id, env }))
    const byId = (one: { id: string }, other: { id: string }) => one.id.localeCompare(other.id)
    // Disabled for this server, since it has no key.
    const offered = catalogIds().filter((id) => id !== 'opencode')
    const listed = offered.map((id) => ({ id, env: catalogProvider(id)?.env }))
    expect(listed.toSorted(byId)).toEqual(known.toSorted(byId))
  })

  it('never has a key', async () => {
    const environment = JSON.stringify(access.environment)
    for (const key of [...Object.values(keys), 'custom-key', 'team-secret'])
      if (key !== 'resource') expect(environment).not.toContain(key)
    const providers = await opencode.client(directory).config.providers({}, { throwOnError: true })
    expect(JSON.stringify(providers.data)).not.toMatch(/(anthropic|openai|azure|groq|custom)-key|amazon-secret/)
  })

  it.each([
    ['gemini-2.5-flash', '/vertex/models/gemini-2.5-flash:streamGenerateContent?alt=sse'],
    ['claude-sonnet-4-5@20250929', '/vertex/claude-sonnet-4-5@20250929:streamRawPredict'],
    ['openai/gpt-oss-120b-maas', '/vertex/chat/completions'],
  ])('answers for %s on Vertex, with a token that the gateway fetched from Google', async (id, url) => {
    const { said, error, request } = await prompt('google-vertex', id)
    expect({ said, error }).toEqual({ said: ANSWER, error: undefined })
    expect(request).toMatchObject({ url, headers: { authorization: `Bearer ${GOOGLE_TOKEN}` } })
    expect(request?.headers).not.toHaveProperty('x-goog-api-key')
  })

  it('is counted with its tokens under the session of the task', async () => {
    const { sessionId } = await prompt('anthropic', 'claude-sonnet-4-5')
    await expect
      .poll(() => calls.find((call) => call.sessionId === sessionId))
      .toMatchObject({
        serverId: 'server',
        provider: 'anthropic',
        model: 'claude-sonnet-4-5',
        status: 200,
        tokens: { ...ANSWER_TOKENS, cacheRead: 20 },
      })
  })
})
