// Checks the agent and the model of a session first, since OpenCode accepts any name.

import type { Agent } from '@opencode-ai/sdk/v2'
import { type ModelRef, parseModel, SwitchyardError } from '@switchyard/contracts'
import type { OpenCodeClient } from '@switchyard/opencode'

/** @throws SwitchyardError `model_not_found` */
export const requireModel = async (
  client: OpenCodeClient,
  directory: string,
  model: ModelRef,
  signal: AbortSignal,
): Promise<void> => {
  const { providers } = await client.providers(directory, { signal })
  const provider = providers.find(({ id }) => id === model.providerID)
  if (provider && Object.hasOwn(provider.models, model.modelID)) return
  throw new SwitchyardError('model_not_found', `OpenCode has no model ${model.providerID}/${model.modelID} here`)
}

/** @throws SwitchyardError `agent_not_found` */
export const requireAgent = async (
  client: OpenCodeClient,
  directory: string,
  name: string,
  signal: AbortSignal,
): Promise<Agent> => {
  const agents = (await client.agents(directory, { signal })).filter((agent) => agent.hidden !== true)
  const agent = agents.find((known) => known.name === name)
  if (agent) return agent
  throw new SwitchyardError(
    'agent_not_found',
    `agent ${JSON.stringify(name)} does not exist here; available: ${agents.map((known) => known.name).join(', ')}`,
  )
}

/**
 * Returns the model for a call that must name one: the first one chosen, else OpenCode's own default.
 *
 * @throws SwitchyardError `model_not_found`, `no_model_configured`
 */
export const chooseModel = async (
  client: OpenCodeClient,
  directory: string,
  chosen: readonly (ModelRef | undefined)[],
  signal: AbortSignal,
): Promise<ModelRef> => {
  const first = chosen.find((model) => model !== undefined)
  if (first) {
    await requireModel(client, directory, first, signal)
    return first
  }
  const [config, listed] = await Promise.all([
    client.config(directory, { signal }),
    client.providers(directory, { signal }),
  ])
  const configured = parseModel(config.model)
  if (configured) return configured
  const [provider] = listed.providers
  const modelID = provider ? listed.default[provider.id] : undefined
  if (provider && modelID) return { providerID: provider.id, modelID }
  throw new SwitchyardError('no_model_configured', 'no model was named and the OpenCode server has no provider')
}
