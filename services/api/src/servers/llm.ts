// Models: which there are, and which of them a project's sessions and tasks use that name none.

import type { Config } from '@switchyard/config'
import { type AvailableModels, type LlmConfig, type SetModel, SwitchyardError } from '@switchyard/contracts'
import { listProjects, listServers, type Records, updateProject } from '@switchyard/records'
import type { Caller } from '../access/caller.ts'
import { findChangeableProject, mayUse } from '../access/projects.ts'
import { checkModel } from '../validation/model.ts'
import { availableModelsOfProjects, modelsOf } from './available-models.ts'

export type LlmDeps = { readonly config: Pick<Config, 'tasks'>; readonly records: Records }

/** Gives a project's model back to the installation. */
const DEFAULT = 'default'
/** Of models that are there, as many are named where one is not. */
const NAMED = 10

const copyOf = ({ providers }: AvailableModels): AvailableModels['providers'] => [...providers]

export class LlmService {
  readonly #deps: LlmDeps

  constructor(deps: LlmDeps) {
    this.#deps = deps
  }

  /** As the servers last reported it. */
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
   * @param model - provider/model, or `default` for the installation's.
   * @throws SwitchyardError `project_not_found`, `forbidden`, `invalid_model`, `model_not_found` with some that are there
   */
  async setModel(caller: Caller, project: string, model: string): Promise<SetModel> {
    const { records } = this.#deps
    const row = await findChangeableProject(records, caller, project, 'changing its model')
    const wanted = model === DEFAULT ? null : model
    const told = wanted === null ? 'the installation’s default' : await this.#check(row, wanted)
    await updateProject(records.db, row.id, { model: wanted })
    return {
      project_id: row.id,
      git_url: row.url,
      model: wanted,
      previous: row.model,
      message: `tasks and sessions of ${row.url} that name no model use ${told} from now on; what runs goes on as it is`,
    }
  }

  async #check(row: Parameters<typeof availableModelsOfProjects>[1][number], model: string): Promise<string> {
    checkModel(model)
    const found = (await availableModelsOfProjects(this.#deps.records, [row])).get(row.id)
    // While no server has reported its models, the first turn finds out.
    if (!found?.isKnown) return `${model} (no OpenCode server has said yet whether it has that)`
    const models = modelsOf(found.models)
    if (models.includes(model)) return model
    const some = models.slice(0, NAMED).join(', ')
    throw new SwitchyardError('model_not_found', `model ${model} is not available there`, {
      hint: `There are ${some}${models.length > NAMED ? ` and ${models.length - NAMED} more` : ''}; opencode_llm_config lists them.`,
    })
  }
}
