// What a directory's OpenCode offers: providers with their models, agents, the default model. Without any key.

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
  /** `provider/model` that the configuration names; null: OpenCode chooses one of the first provider. */
  readonly defaultModel: string | null
}

/** Picks what is named here and nothing else, so that a secret in a new field of OpenCode stays inside. */
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
})
