// The models and agents of an OpenCode server or directory, in the form in which the record stores
// them.

import type { AvailableModels } from '@switchyard/contracts'
import type { Catalog } from '@switchyard/opencode'

export const toAvailableModels = (catalog: Catalog): AvailableModels => ({
  providers: catalog.providers.map(({ id, name, models }) => ({
    id,
    name,
    models: models.map((model) => ({ ...model, variants: [...model.variants] })),
  })),
  agents: catalog.agents.map(({ name, mode, description }) => ({ name, mode, description })),
  default_model: catalog.defaultModel,
})
