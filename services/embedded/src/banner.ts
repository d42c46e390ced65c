// What `npm start` prints: where it listens, how to connect, and what it can do here.

export type BannerFacts = {
  readonly version: string
  readonly startedInMs: number
  readonly url: string
  readonly hasKeys: boolean
  readonly isProduction: boolean
  /** Ids of the model providers that OpenCode has; undefined where it did not say in time. */
  readonly providers: readonly string[] | undefined
  readonly defaultModel: string | undefined
  readonly home: string
}

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
    `  Access  ${hasKeys ? 'with a key of SWITCHYARD_API_KEYS' : 'this machine only, without a key (SWITCHYARD_API_KEYS is not set)'}`,
    ...(facts.isProduction ? [] : [`  Secrets ${secrets(facts)}`]),
    `  Models  ${models(facts)}`,
    `  Data    ${facts.home}  (logs: ${facts.home}/logs)`,
    '',
    '  Connect an MCP client:',
    `    claude mcp add --transport http switchyard ${mcp}${header}`,
    `    ${JSON.stringify({ mcpServers: { switchyard: server } })}`,
    '',
    '  Ctrl-C stops it.',
    '',
  ].join('\n')
}

const secrets = ({ home }: BannerFacts): string =>
  `those that are not set were made for development, in ${home}; NODE_ENV=production starts only with your own`

const models = (facts: BannerFacts): string => {
  const { providers, defaultModel } = facts
  const fallback = defaultModel === undefined ? '' : `; ${defaultModel} where a task names none`
  if (providers === undefined) return `OpenCode is still starting; ${facts.url}/health will list them${fallback}`
  if (providers.length === 0)
    return 'no provider is configured: set its key (such as ANTHROPIC_API_KEY) or OPENCODE_CONFIG and start again'
  // OpenCode always has its own, with some models that need no key.
  const note = providers.every((provider) => provider === 'opencode')
    ? ' only: set the key of another (such as ANTHROPIC_API_KEY) or OPENCODE_CONFIG and start again'
    : ''
  return `${providers.join(', ')}${note}${fallback}`
}
