// What can be used in a directory: providers with their models, agents, and the default model. Contains no keys.

import type { Agent, Config, PermissionRule, Provider } from '@opencode-ai/sdk/v2'

export type Catalog = {
  readonly providers: readonly {
    readonly id: string
    readonly name: string
    readonly models: readonly { readonly id: string; readonly name: string; readonly variants: readonly string[] }[]
  }[]
  readonly agents: readonly {
    readonly name: string
    readonly mode: Agent['mode']
    readonly description: string | null
    /** For `permissionRules`. */
    readonly permission: readonly PermissionRule[]
  }[]
  /** The `provider/model` that the configuration names. When it is null, OpenCode chooses one of the first provider. */
  readonly defaultModel: string | null
  /** Whether commands of agents run in a sandbox (packages/tool-sandbox). */
  readonly isSandboxed: boolean
}

/** The end of the path of the shell that puts a command into its sandbox. */
const SANDBOX_SHELL = 'tool-sandbox/bin/bash'

/** Copies only the fields named here, so that a secret in a new field of OpenCode is not exposed. */
export const toCatalog = (
  listed: { readonly providers: readonly Provider[] },
  agents: readonly Agent[],
  config: Config,
): Catalog => ({
  providers: listed.providers.map((provider) => ({
    id: provider.id,
    name: provider.name,
    models: Object.values(provider.models).map((model) => ({
      id: model.id,
      name: model.name,
      variants: Object.keys(model.variants ?? {}),
    })),
  })),
  agents: agents
    .filter((agent) => agent.hidden !== true)
    .map(({ name, mode, description, permission }) => ({
      name,
      mode,
      description: description ?? null,
      permission,
    })),
  defaultModel: config.model ?? null,
  isSandboxed: config.shell?.endsWith(SANDBOX_SHELL) ?? false,
})
