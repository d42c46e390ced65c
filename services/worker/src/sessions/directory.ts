// Reads OpenCode's configuration, providers and agents for a directory of a project, without secrets.

import type { Provider } from '@opencode-ai/sdk/v2'
import type { CallArgs, CallResult } from '@switchyard/contracts'
import { directoryOf, openProject } from './access.ts'
import type { SessionDeps } from './deps.ts'
import { redact } from './redact.ts'

const DEFAULT_AGENT = 'build'

const open = async (deps: SessionDeps, args: CallArgs<'directory.config'>) => {
  const project = await openProject(deps, args)
  return { client: project.client, directory: directoryOf(project, { directory: args.directory }) }
}

export const readConfig = async (
  deps: SessionDeps,
  args: CallArgs<'directory.config'>,
  signal: AbortSignal,
): Promise<CallResult<'directory.config'>> => {
  const { client, directory } = await open(deps, args)
  return { config: redact(await client.config(directory, { signal })) as Record<string, unknown> }
}

/** Lists the fields that are shown, so that a secret in a new field of OpenCode stays hidden. */
const toProvider = ({ id, name, source, models }: Provider) => ({
  id,
  name,
  source,
  models: Object.values(models).map((model) => ({
    id: model.id,
    name: model.name,
    status: model.status,
    contextWindow: model.limit.context,
    outputLimit: model.limit.output,
    pricing: { input: model.cost.input, output: model.cost.output },
    capabilities: {
      reasoning: model.capabilities.reasoning,
      attachment: model.capabilities.attachment,
      toolcall: model.capabilities.toolcall,
    },
    variants: Object.keys(model.variants ?? {}),
  })),
})

export const listProviders = async (
  deps: SessionDeps,
  args: CallArgs<'directory.providers'>,
  signal: AbortSignal,
): Promise<CallResult<'directory.providers'>> => {
  const { client, directory } = await open(deps, args)
  const listed = await client.providers(directory, { signal })
  return { providers: listed.providers.map(toProvider), default: { ...listed.default } }
}

export const listAgents = async (
  deps: SessionDeps,
  args: CallArgs<'directory.agents'>,
  signal: AbortSignal,
): Promise<CallResult<'directory.agents'>> => {
  const { client, directory } = await open(deps, args)
  const [agents, config] = await Promise.all([
    client.agents(directory, { signal }),
    client.config(directory, { signal }),
  ])
  const shown = agents.filter((agent) => agent.hidden !== true)
  const wanted = config.default_agent ?? DEFAULT_AGENT
  return {
    agents: shown.map((agent) => ({
      id: agent.name,
      name: agent.name,
      description: agent.description ?? null,
      mode: agent.mode,
      model: agent.model ? { providerID: agent.model.providerID, modelID: agent.model.modelID } : null,
      native: agent.native ?? false,
    })),
    default: shown.some(({ name }) => name === wanted) ? wanted : (shown[0]?.name ?? null),
  }
}
