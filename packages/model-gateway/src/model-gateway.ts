// The gateway between OpenCode servers and model providers. It has the keys; the servers have tokens.

import { once } from 'node:events'
import { type ServerType, serve } from '@hono/node-server'
import type { Logger } from 'pino'
import { Agent, type Dispatcher, EnvHttpProxyAgent } from 'undici'
import { createGatewayApp, type GrantedAccess } from './app.ts'
import { readOperatorConfig } from './opencode-config/config-sources.ts'
import { type Logins, parseLogins } from './opencode-config/logins.ts'
import { catalogProvider } from './providers/catalog.ts'
import type { ProviderProblem } from './providers/provider.ts'
import { resolveProviders } from './providers/resolve-providers.ts'
import { gatewayEnvironment, remoteSetup } from './server-environment.ts'
import { newToken, ServerTokens } from './server-tokens.ts'
import type { ModelCall } from './usage/usage.ts'

export type ModelGatewayOptions = {
  /** Port 0 selects a free one. */
  readonly port: number
  readonly host: string
  /** The gateway's address as servers see it. Default: where it listens. */
  readonly url?: string
  /** Logins that `opencode auth login` stored. */
  readonly logins?: Logins
  /** Ids of providers that OpenCode calls by itself, with keys of its own. */
  readonly direct?: readonly string[]
  /** Proxies for calls to providers, from HTTP_PROXY, HTTPS_PROXY and NO_PROXY. */
  readonly proxy?: { readonly http?: string; readonly https?: string; readonly except?: string }
  readonly onCall?: (call: ModelCall) => void
  readonly logger: Logger
}

export type ServerAccess = {
  /** For the server's process: no keys, and every provider behind the gateway. */
  readonly environment: Readonly<Record<string, string>>
  /** Ids of the providers that the server can use. */
  readonly providers: readonly string[]
  readonly problems: readonly ProviderProblem[]
  readonly revoke: () => void
}

const NO_LOGINS: Logins = parseLogins({})

export class ModelGateway {
  readonly app: ReturnType<typeof createGatewayApp>
  readonly #options: ModelGatewayOptions
  readonly #tokens = new ServerTokens<GrantedAccess>()
  readonly #dispatcher: Dispatcher
  readonly #direct: ReadonlyMap<string, readonly string[]>
  #server: ServerType | undefined
  #url: string

  constructor(options: ModelGatewayOptions) {
    this.#options = options
    this.#url = options.url ?? ''
    this.#direct = new Map((options.direct ?? []).map((id) => [id, catalogProvider(id)?.env ?? []]))
    this.#dispatcher = createDispatcher(options.proxy)
    this.app = createGatewayApp({
      tokens: this.#tokens,
      dispatcher: this.#dispatcher,
      onCall: options.onCall ?? (() => {}),
      logger: options.logger,
    })
  }

  /** Resolves when the gateway listens. @throws the system's error, such as EADDRINUSE */
  async listen(): Promise<void> {
    const { port, host, url } = this.#options
    const server = serve({ fetch: this.app.fetch, port, hostname: host })
    await once(server, 'listening')
    // A model may think for longer than the default limit before it sends anything.
    if ('requestTimeout' in server) server.requestTimeout = 0
    const address = server.address()
    const actual = typeof address === 'object' && address !== null ? address.port : port
    this.#server = server
    this.#url = url ?? `http://${host}:${actual}`
  }

  /** The address for servers. */
  get url(): string {
    return this.#url
  }

  /**
   * Opens the gateway for one server.
   *
   * @param serverId - under which its calls are counted.
   * @param env - the environment that the server would have without the gateway, keys included.
   * @param token - default: a random one.
   * @throws SwitchyardError `configuration_invalid` if an OpenCode configuration is not valid JSON
   */
  async open(serverId: string, env: Readonly<Record<string, string>>, token?: string): Promise<ServerAccess> {
    const operator = await readOperatorConfig(env)
    const { providers, problems } = resolveProviders({
      env,
      config: operator.config,
      logins: mergedLogins(this.#options.logins ?? NO_LOGINS, env.OPENCODE_AUTH_CONTENT),
      direct: new Set(this.#direct.keys()),
    })
    const issued = token ?? newToken()
    const options = { env, operator, providers, direct: this.#direct, gatewayUrl: this.#url, token: issued }
    this.#tokens.add(issued, {
      serverId,
      value: {
        providers: new Map(providers.map((provider) => [provider.id, provider])),
        setup: remoteSetup(options),
      },
    })
    return {
      environment: gatewayEnvironment(options),
      providers: providers.map(({ id }) => id),
      problems,
      revoke: () => this.#tokens.revoke(issued),
    }
  }

  /** Stops listening and ends the calls in progress. */
  async close(): Promise<void> {
    const server = this.#server
    if (server) {
      const closed = once(server, 'close')
      server.close()
      if ('closeAllConnections' in server) server.closeAllConnections()
      await closed
    }
    await this.#dispatcher.destroy()
  }
}

/** A login in the environment replaces a stored one. */
const mergedLogins = (stored: Logins, content: string | undefined): Logins => {
  if (!content) return stored
  try {
    const given = parseLogins(JSON.parse(content))
    return { keys: new Map([...stored.keys, ...given.keys]), oauth: [...stored.oauth, ...given.oauth] }
  } catch {
    return stored
  }
}

/** Models may take minutes to the first byte; OpenCode has limits of its own, and its client closes the request. */
const TIMEOUTS = { headersTimeout: 0, bodyTimeout: 0, connectTimeout: 10_000 } as const

const createDispatcher = (proxy: ModelGatewayOptions['proxy']): Dispatcher => {
  if (!proxy?.http && !proxy?.https) return new Agent(TIMEOUTS)
  return new EnvHttpProxyAgent({
    ...TIMEOUTS,
    ...(proxy.http ? { httpProxy: proxy.http } : {}),
    ...(proxy.https ? { httpsProxy: proxy.https } : {}),
    noProxy: proxy.except ?? '',
  })
}
