// The multi-project HTTP API apart from sessions: projects, and the agents, models and configuration available in them.

import {
  type CallResult,
  type ChangeProject,
  type InitProject,
  isSwitchyardError,
  type ProjectObject,
  parseModel,
  SwitchyardError,
} from '@switchyard/contracts'
import { listProjects, listSandboxes, type ProjectPatch, type ProjectRow, updateProject } from '@switchyard/records'
import type { Caller } from '../access/caller.ts'
import { findProjectOrDefault } from '../access/default-project.ts'
import { findUsableProject, mayUse, requireChange } from '../access/projects.ts'
import type { ProjectService } from '../projects/service.ts'
import { type ProjectCall, resolveScope, type SessionDeps } from '../sessions/deps.ts'
import { checkModel } from '../validation/model.ts'
import { type SessionCounts, toProjectObjects } from './objects.ts'

/** Limit of the wait for session counts, ms. They are optional, so it is short. */
const COUNT_WAIT_MS = 3_000

const patchOf = (input: ChangeProject): ProjectPatch => {
  const { name, model, metadata, permissions } = input
  return {
    ...(name === undefined ? {} : { name }),
    ...(model === undefined ? {} : { model }),
    ...(metadata?.description === undefined ? {} : { description: metadata.description }),
    ...(metadata?.tags === undefined ? {} : { tags: metadata.tags }),
    ...(metadata?.settings === undefined ? {} : { settings: metadata.settings }),
    ...(permissions === undefined ? {} : { permissions }),
  }
}

export class ProjectApi {
  readonly #deps: SessionDeps
  readonly #projects: ProjectService

  constructor(deps: SessionDeps, projects: ProjectService) {
    this.#deps = deps
    this.#projects = projects
  }

  /** Returns the projects that the caller may use, newest first. */
  async list(caller: Caller): Promise<readonly ProjectObject[]> {
    const { records } = this.#deps
    const rows = (await listProjects(records.db)).filter((row) => mayUse(caller, row))
    return await toProjectObjects(records, caller, rows, rows.length > 0 ? await this.#count() : [])
  }

  /** @throws SwitchyardError `project_not_found` */
  async read(caller: Caller, project: string): Promise<ProjectObject> {
    return await this.#toObject(caller, await findUsableProject(this.#deps.records, caller, project))
  }

  /** @throws SwitchyardError `project_not_found`, `forbidden`, `invalid_model` */
  async change(caller: Caller, project: string, input: ChangeProject): Promise<ProjectObject> {
    const row = await findUsableProject(this.#deps.records, caller, project)
    return await this.#toObject(caller, await this.#write(caller, row, input))
  }

  /** Registers a repository and starts it. Safe to repeat. @throws SwitchyardError as `ProjectService.start` */
  async init(caller: Caller, input: InitProject, signal: AbortSignal | undefined) {
    const { gitURL, worktree, name, model, isolation, metadata } = input
    const git_url = gitURL ?? worktree
    if (git_url === undefined) throw new SwitchyardError('invalid_request', 'gitURL or worktree is required')
    const base_dir = gitURL === undefined ? undefined : worktree
    const started = await this.#projects.start(caller, { git_url, base_dir, name, model, isolation }, signal)
    const row = await findUsableProject(this.#deps.records, caller, started.project_id)
    const saved = metadata === undefined ? row : await this.#write(caller, row, { metadata })
    return {
      ...(await this.#toObject(caller, saved)),
      warnings: started.warnings,
      publicKey: started.public_key,
      nextStep: started.next_step,
    }
  }

  /** @throws SwitchyardError `project_not_found`, `project_not_ready` */
  async agents(call: ProjectCall, directory: string | undefined): Promise<CallResult<'directory.agents'>> {
    const { callerArgs, options } = await resolveScope(this.#deps, call)
    return await this.#deps.calls.call('directory.agents', { ...callerArgs, directory: directory ?? null }, options)
  }

  /**
   * Returns the models available in a directory.
   *
   * @param directory - the checkout or a sandbox of a project that the caller may use; undefined is the default project's
   *   checkout
   * @throws SwitchyardError `project_not_found`
   */
  async providers(caller: Caller, directory: string | undefined, signal: AbortSignal) {
    const row = await this.#projectAt(caller, directory)
    const { callerArgs, options } = await resolveScope(this.#deps, { caller, project: row.id, signal })
    const listed = await this.#deps.calls.call(
      'directory.providers',
      { ...callerArgs, directory: directory ?? null },
      options,
    )
    const [first] = Object.keys(listed.default)
    return { providers: listed.providers, default: first ?? null, defaultModels: listed.default }
  }

  async config(caller: Caller, directory: string | undefined, signal: AbortSignal) {
    const row = await this.#projectAt(caller, directory)
    const { callerArgs, options } = await resolveScope(this.#deps, { caller, project: row.id, signal })
    const { config } = await this.#deps.calls.call(
      'directory.config',
      { ...callerArgs, directory: directory ?? null },
      options,
    )
    const model =
      row.model ?? this.#deps.config.tasks.defaultModel ?? (typeof config.model === 'string' ? config.model : null)
    const servers = Object.entries((config.mcp as Record<string, { enabled?: unknown }> | undefined) ?? {})
    return {
      project: { id: row.id, name: row.name ?? row.key },
      settings: { ...row.settings, defaultProvider: parseModel(model)?.providerID ?? null, defaultModel: model },
      mcp: {
        servers: servers.map(([name]) => name).toSorted(),
        enabled: servers.some(([, server]) => server.enabled !== false),
      },
      config,
    }
  }

  /** Finds the project of a directory. OpenCode would accept any directory, so only those of usable projects are allowed. */
  async #projectAt(caller: Caller, directory: string | undefined): Promise<ProjectRow> {
    const { records } = this.#deps
    if (directory === undefined) return await findProjectOrDefault(records, caller, undefined)
    const rows = (await listProjects(records.db)).filter((row) => mayUse(caller, row))
    const sandboxes = await listSandboxes(
      records.db,
      rows.map(({ id }) => id),
    )
    const owner = sandboxes.find(({ path }) => path === directory)?.project_id
    const row = rows.find(({ id, base_dir }) => base_dir === directory || id === owner)
    if (row) return row
    throw new SwitchyardError(
      'project_not_found',
      `${directory.slice(0, 200)} is not a directory of a project that you may use`,
    )
  }

  async #write(caller: Caller, row: ProjectRow, input: ChangeProject): Promise<ProjectRow> {
    requireChange(caller, row, 'changing it')
    if (typeof input.model === 'string') checkModel(input.model)
    const patch = patchOf(input)
    if (Object.keys(patch).length === 0) return row
    return (await updateProject(this.#deps.records.db, row.id, patch)) ?? row
  }

  async #toObject(caller: Caller, row: ProjectRow): Promise<ProjectObject> {
    const [object] = await toProjectObjects(this.#deps.records, caller, [row], await this.#count())
    if (!object) throw new Error(`${row.id} has no project object`)
    return object
  }

  /** Returns the session counts, or null if no worker responds in time. */
  async #count(): Promise<SessionCounts | null> {
    const { calls, config } = this.#deps
    const target = config.opencode.serverEnabled ? 'blue' : 'any'
    try {
      return (await calls.call('session.count', {}, { target, waitMs: COUNT_WAIT_MS })).directories
    } catch (error) {
      if (isSwitchyardError(error)) return null
      throw error
    }
  }
}
