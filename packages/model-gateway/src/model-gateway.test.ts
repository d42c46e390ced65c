// The gateway against scripted providers, called as OpenCode's SDKs call it.

import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createLogger } from '@switchyard/config'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { expectedSignature } from './amazon-signature.fixture.ts'
import { ModelGateway, type ModelGatewayOptions, type ServerAccess } from './model-gateway.ts'
import { type ScriptedProviders, startScriptedProviders } from './scripted-providers.fixture.ts'
import type { ModelCall } from './usage/usage.ts'

type OpenCodeConfig = {
  provider: Record<string, { options: { baseURL: string; apiKey: string; headers?: Record<string, string> } }>
  disabled_providers?: string[]
}

const logger = createLogger({ log: { level: 'silent' } }, 'test')
const closing: (() => Promise<void>)[] = []
let upstream: ScriptedProviders
let home: string

beforeAll(async () => {
  upstream = await startScriptedProviders()
  home = await mkdtemp(path.join(tmpdir(), 'switchyard-gateway-'))
})
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})
afterAll(async () => {
  await upstream.close()
  await rm(home, { recursive: true, force: true })
})

const start = async (env: Record<string, string>, options: Partial<ModelGatewayOptions> = {}) => {
  const calls: ModelCall[] = []
  const gateway = new ModelGateway({
    host: '127.0.0.1',
    port: 0,
    onCall: (call) => calls.push(call),
    logger,
    ...options,
  })
  closing.push(() => gateway.close())
  await gateway.listen()
  const access = await gateway.open('server', { HOME: home, ...env })
  return { gateway, access, calls, config: configOf(access) }
}

const configOf = ({ environment }: ServerAccess): OpenCodeConfig =>
  JSON.parse(environment.OPENCODE_CONFIG_CONTENT ?? '{}')

const provider = (config: OpenCodeConfig, id: string) => {
  const found = config.provider[id]
  if (!found) throw new Error(`no provider ${id}`)
  return found.options
}

const post = (url: string, headers: Record<string, string>, body: object = { model: 'm' }): Promise<Response> =>
  fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  })

const custom = (baseURL: string, options: object = {}) => ({
  OPENCODE_CONFIG_CONTENT: JSON.stringify({
    provider: { custom: { options: { baseURL, apiKey: 'real-key', ...options } } },
  }),
})

describe('the model gateway', () => {
  it('refuses a request without a token, and one with the token of a server that has ended', async () => {
    const { access, config } = await start(custom(upstream.url))
    const { baseURL, apiKey } = provider(config, 'custom')
    const call = () => post(`${baseURL}/chat/completions`, { authorization: `Bearer ${apiKey}` })
    expect((await post(`${baseURL}/chat/completions`, {})).status).toBe(401)
    expect((await call()).status).toBe(200)
    access.revoke()
    expect((await call()).status).toBe(401)
  })

  it('gives each server a token that reaches the providers of that server only', async () => {
    const { gateway, access } = await start(custom(upstream.url))
    const other = await gateway.open('other', { HOME: home, MISTRAL_API_KEY: 'mistral-key' })
    const { apiKey } = provider(configOf(other), 'mistral')
    const { baseURL } = provider(configOf(access), 'custom')
    const answer = await post(`${baseURL}/chat/completions`, { authorization: `Bearer ${apiKey}` })
    expect(answer.status).toBe(404)
  })

  it('sends no token of its own to a provider, and returns its errors as they are', async () => {
    const { config } = await start(custom(upstream.url, { headers: { 'X-Key': 'header-key' } }))
    const { baseURL, apiKey, headers } = provider(config, 'custom')
    expect(headers).toEqual({ 'X-Key': 'set by the model gateway' })
    const answer = await post(`${baseURL}/missing?a=1`, { authorization: `Bearer ${apiKey}`, ...headers })
    expect([answer.status, await answer.json()]).toEqual([404, { error: { message: 'no such path' } }])
    const request = upstream.requests.at(-1)
    expect(request).toMatchObject({
      url: '/missing?a=1',
      headers: { authorization: 'Bearer real-key', 'x-key': 'header-key' },
    })
    expect(JSON.stringify(request)).not.toContain(apiKey)
  })

  it('returns 502 with the reason if the provider is unreachable', async () => {
    const { config, calls } = await start(custom('http://127.0.0.1:9'))
    const { baseURL, apiKey } = provider(config, 'custom')
    const answer = await post(`${baseURL}/chat/completions`, { authorization: `Bearer ${apiKey}` })
    expect(answer.status).toBe(502)
    expect(await answer.text()).toContain('could not call custom')
    expect(calls).toMatchObject([{ provider: 'custom', status: 0 }])
  })

  it('streams in both directions: each part arrives before the next one is sent', async () => {
    const { config } = await start(custom(await echoServer()))
    const { baseURL, apiKey } = provider(config, 'custom')
    const sending = httpRequest(`${baseURL}/echo`, { method: 'POST', headers: { authorization: `Bearer ${apiKey}` } })
    sending.write('first')
    const [answer]: IncomingMessage[] = await once(sending, 'response')
    const parts = answer?.iterator()
    expect(String((await parts?.next())?.value)).toBe('first')
    sending.write('second')
    expect(String((await parts?.next())?.value)).toBe('second')
    sending.end()
    expect((await parts?.next())?.done).toBe(true)
  })

  it('ends the call of the provider when the client disconnects', async () => {
    const closed = Promise.withResolvers<void>()
    const { config } = await start(
      custom(
        await serveWith((incoming, response) => {
          incoming.resume()
          response.once('close', () => closed.resolve())
          response.writeHead(200, { 'content-type': 'text/event-stream' })
          response.write('data: {}\n\n')
        }),
      ),
    )
    const { baseURL, apiKey } = provider(config, 'custom')
    const leaving = new AbortController()
    await fetch(`${baseURL}/chat`, {
      method: 'POST',
      headers: { authorization: `Bearer ${apiKey}` },
      body: '{}',
      signal: leaving.signal,
    })
    leaving.abort()
    await closed.promise
  })

  it('calls each address of a provider with several by the header of the SDK', async () => {
    const { config } = await start({
      OPENCODE_CONFIG_CONTENT: JSON.stringify({
        provider: { azure: { options: { baseURL: `${upstream.url}/openai`, apiKey: 'azure-key' } } },
      }),
    })
    const { baseURL, apiKey } = provider(config, 'azure')
    await post(`${baseURL}/deployments/gpt/chat/completions?api-version=2024`, { 'api-key': apiKey })
    expect(upstream.requests.at(-1)).toMatchObject({
      url: '/openai/deployments/gpt/chat/completions?api-version=2024',
      headers: { 'api-key': 'azure-key' },
    })
    const anthropic = await post(`${baseURL}/messages`, { 'x-api-key': apiKey })
    expect(anthropic.status).toBe(404)
  })

  it("signs requests for Amazon with the operator's credentials", async () => {
    const { config } = await start({
      OPENCODE_CONFIG_CONTENT: JSON.stringify({
        provider: {
          'amazon-bedrock': { options: { baseURL: `${upstream.url}/aws`, accessKeyId: 'AKIA', secretAccessKey: 's3' } },
        },
      }),
    })
    const options = provider(config, 'amazon-bedrock')
    expect(options).toMatchObject({ accessKeyId: '', secretAccessKey: '', region: 'us-east-1' })
    const path = '/model/anthropic.claude-v1%3A0/converse-stream'
    await post(`${options.baseURL}${path}`, { authorization: `Bearer ${options.apiKey}` }, { messages: [] })
    const request = upstream.requests.at(-1)
    expect(request?.url).toBe(`/aws${path}`)
    expect(request && expectedSignature(request, { accessKeyId: 'AKIA', secretAccessKey: 's3' })).toBe(
      request?.headers.authorization,
    )
  })

  it('counts the calls of each session, and no session that OpenCode cannot have named', async () => {
    const { config, calls } = await start(custom(upstream.url))
    const { baseURL, apiKey } = provider(config, 'custom')
    const call = async (session: string) => {
      const headers = {
        authorization: `Bearer ${apiKey}`,
        'x-session-affinity': session,
        'x-parent-session-id': 'ses_2',
      }
      await (await post(`${baseURL}/chat/completions`, headers)).text()
    }
    await call('ses_1')
    await call("'; DROP TABLE tasks")
    expect(calls).toMatchObject([
      { serverId: 'server', sessionId: 'ses_1', parentSessionId: 'ses_2', tokens: { input: 120, output: 7 } },
      { sessionId: null },
    ])
  })
})

describe('the environment of a server', () => {
  it("has no provider's key, and keeps everything else", async () => {
    const { access } = await start({
      PATH: '/bin',
      ANTHROPIC_API_KEY: 'sk-ant',
      AWS_SECRET_ACCESS_KEY: 'aws',
      GITHUB_TOKEN: 'ghp',
      MY_KEY: 'corporate',
      OPENCODE_CONFIG_CONTENT:
        '{ "model": "own/m", "provider": { "own": { "options": { "baseURL": "https://own", "apiKey": "{env:MY_KEY}" } } } }',
    })
    const { environment } = access
    expect(environment).toMatchObject({ PATH: '/bin', HOME: home })
    expect(JSON.stringify(environment)).not.toMatch(/sk-ant|"aws"|ghp|corporate/)
    expect(configOf(access)).toMatchObject({ model: 'own/m', disabled_providers: ['opencode'] })
    expect(access.providers).toEqual(expect.arrayContaining(['own', 'anthropic']))
  })

  it('keeps the variables of a provider that OpenCode calls by itself', async () => {
    const { access, config } = await start({ GITLAB_TOKEN: 'gitlab' }, { direct: ['gitlab', 'opencode'] })
    expect(access.environment).toMatchObject({ GITLAB_TOKEN: 'gitlab' })
    expect(config).toEqual({})
  })

  it('reports a provider that the gateway cannot call, and why', async () => {
    const { access } = await start({ GITLAB_TOKEN: 'gitlab', CLOUDFLARE_API_KEY: 'key' })
    expect(access.problems).toEqual(
      expect.arrayContaining([
        { provider: 'gitlab', reason: expect.stringContaining('gitlab-ai-provider') },
        { provider: 'cloudflare-workers-ai', reason: 'CLOUDFLARE_ACCOUNT_ID is not set' },
      ]),
    )
  })

  it("configures neither a disabled provider nor OpenCode's hosted models", async () => {
    const { access, config } = await start({
      OPENAI_API_KEY: 'key',
      OPENCODE_CONFIG_CONTENT: '{"disabled_providers":["openai"]}',
    })
    expect(access.providers).toEqual([])
    expect(config).toEqual({ disabled_providers: ['openai', 'opencode'] })
  })

  it('names the configuration that is not valid', async () => {
    const { gateway } = await start({})
    await expect(gateway.open('two', { HOME: home, OPENCODE_CONFIG_CONTENT: '{"provider"' })).rejects.toThrow(
      'OPENCODE_CONFIG_CONTENT is not a JSON object',
    )
  })
})

const serveWith = async (listener: (incoming: IncomingMessage, response: ServerResponse) => void): Promise<string> => {
  const server = createServer(listener)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  closing.unshift(async () => {
    server.closeAllConnections()
    server.close()
  })
  const address = server.address()
  return `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`
}

const echoServer = (): Promise<string> =>
  serveWith((incoming, response) => {
    response.writeHead(200, { 'content-type': 'application/octet-stream' })
    incoming.pipe(response)
  })
