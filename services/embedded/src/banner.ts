// The text that `npm start` prints: the addresses, how to connect a client, and which models are available.

export type BannerFacts = {
  readonly version: string
  readonly startedInMs: number
  readonly url: string
  readonly hasKeys: boolean
  readonly isProduction: boolean
  /** Ids of the model providers that OpenCode knows; undefined if it was not ready in time. */
  readonly providers: readonly string[] | undefined
  readonly defaultModel: string | undefined
  readonly home: string
  /** Why commands of agents run without a sandbox; undefined if they run in one. */
  readonly noSandbox: string | undefined
}

/** Returns the text to print once Switchyard is ready. */
export const banner = (facts: BannerFacts): string => {
  const { url, hasKeys } = facts
  const mcp = `${url}/mcp`
  const header = hasKeys ? ' --header "Authorization: Bearer $SWITCHYARD_TOKEN"' : ''
  const server = {
    type: 'http',
    url: mcp,
    ...(hasKeys ? { headers: { Authorization: 'Bearer <a token of SWITCHYARD_API_KEYS>' } } : {}),
  }
  return [
    `Switchyard ${facts.version} is ready after ${(facts.startedInMs / 1_000).toFixed(1)} s`,
    '',
    `  REST    ${url}  (reference: ${url}/docs)`,
    `  MCP     ${mcp}`,
    `  Access  ${hasKeys ? 'requires a key from SWITCHYARD_API_KEYS' : 'this machine only, no key required (SWITCHYARD_API_KEYS is not set)'}`,
    ...(facts.isProduction ? [] : [`  Secrets ${secrets(facts)}`]),
    `  Models  ${models(facts)}`,
    `  Tools   ${tools(facts)}`,
    `  Network ${network()}`,
    `  Data    ${facts.home}  (logs: ${facts.home}/logs)`,
    '',
    '  Connect an MCP client:',
    `    claude mcp add --transport http switchyard ${mcp}${header}`,
    `    ${JSON.stringify({ mcpServers: { switchyard: server } })}`,
    '',
    '  Press Ctrl-C to stop.',
    '',
  ].join('\n')
}

/** The stack has an egress proxy; without containers there is nothing to enforce it. */
const network = (): string => 'no egress proxy: on the OpenCode server, agents reach whatever this machine reaches'

const secrets = ({ home }: BannerFacts): string =>
  `generated for development in ${home}; with NODE_ENV=production you must set your own`

const tools = ({ noSandbox }: BannerFacts): string =>
  noSandbox === undefined
    ? 'every command of an agent runs in the sandbox of its task (docs/security.md)'
    : `not sandboxed: ${noSandbox}. Agents can read your files and other tasks (docs/security.md)`

const models = (facts: BannerFacts): string => {
  const { providers, defaultModel } = facts
  const fallback = defaultModel === undefined ? '' : `; default: ${defaultModel}`
  if (providers === undefined) return `OpenCode is still starting; see ${facts.url}/health${fallback}`
  if (providers.length === 0)
    return 'no provider is configured; set a provider key such as ANTHROPIC_API_KEY, or OPENCODE_CONFIG, and restart'
  // OpenCode always has its own provider; some of its models need no key.
  const note = providers.every((provider) => provider === 'opencode')
    ? ' only; to add one, set a provider key such as ANTHROPIC_API_KEY, or OPENCODE_CONFIG, and restart'
    : ''
  return `${providers.join(', ')}${note}${fallback}`
}
