// Lists the available models, and sets the default model of a project.

import type { Config } from '@switchyard/config'
import { type AvailableModels, type LlmConfig, type SetModel, SwitchyardError } from '@switchyard/contracts'
import { listProjects, listServers, type Records, updateProject } from '@switchyard/records'
import type { Caller } from '../access/caller.ts'
import { findChangeableProject, mayUse } from '../access/projects.ts'
import { checkModel } from '../validation/model.ts'
import { availableModelsOfProjects, modelsOf } from './available-models.ts'

export type ModelsServiceDeps = { readonly config: Pick<Config, 'tasks'>; readonly records: Records }

/** Resets a project's model to that of the installation. */
const DEFAULT = 'default'
/** How many available models the error for an unavailable one names. */
const MAX_NAMED = 10

const copyOf = ({ providers }: AvailableModels): AvailableModels['providers'] => [...providers]

export class ModelsService {
  readonly #deps: ModelsServiceDeps

  constructor(deps: ModelsServiceDeps) {
    this.#deps = deps
  }

  /** Returns the models as the servers last reported them. */
  async config(caller: Caller): Promise<LlmConfig> {
    const { config, records } = this.#deps
    const servers = (await listServers(records.db)).filter(({ kind }) => kind !== null)
    const projects = (await listProjects(records.db)).filter((row) => mayUse(caller, row))
    const available = await availableModelsOfProjects(records, projects)
    const named = servers.find(({ offer }) => offer?.default_model)?.offer?.default_model ?? null
    return {
      default_model: config.tasks.defaultModel ?? named,
      servers: servers.map(({ id, pool, state, offer }) => ({
        id,
        pool,
        status: state,
        default_model: offer?.default_model ?? null,
        providers: offer ? copyOf(offer) : [],
      })),
      projects: projects.map((row) => {
        const found = available.get(row.id)
        return {
          project_id: row.id,
          git_url: row.url,
          model: row.model,
          providers: found?.isOwn ? copyOf(found.models) : null,
        }
      }),
    }
  }

  /**
   * Sets the default model of a project.
   *
   * @param model - provider/model, or `default` for that of the installation
   * @throws SwitchyardError `project_not_found`, `forbidden`, `invalid_model`, `model_not_found`, which names available ones
   */
  async setModel(caller: Caller, project: string, model: string): Promise<SetModel> {
    const { records } = this.#deps
    const row = await findChangeableProject(records, caller, project, 'changing its model')
    const wanted = model === DEFAULT ? null : model
    const description = wanted === null ? 'the default model of the installation' : await this.#check(row, wanted)
    await updateProject(records.db, row.id, { model: wanted })
    return {
      project_id: row.id,
      git_url: row.url,
      model: wanted,
      previous: row.model,
      message: `tasks and sessions of ${row.url} that do not name a model now use ${description}; running ones are not affected`,
    }
  }

  async #check(row: Parameters<typeof availableModelsOfProjects>[1][number], model: string): Promise<string> {
    checkModel(model)
    const found = (await availableModelsOfProjects(this.#deps.records, [row])).get(row.id)
    // Until a server has reported its models, any name is accepted; the first turn fails if it does not exist.
    if (!found?.isKnown) return `${model} (not verified: no OpenCode server has reported its models yet)`
    const models = modelsOf(found.models)
    if (models.includes(model)) return model
    const some = models.slice(0, MAX_NAMED).join(', ')
    throw new SwitchyardError('model_not_found', `model ${model} is not available in the project`, {
      hint: `Use one of ${some}${models.length > MAX_NAMED ? ` and ${models.length - MAX_NAMED} more` : ''}; opencode_llm_config lists them all.`,
    })
  }
}
