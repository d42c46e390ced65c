// Everything a caller can do with projects, for both REST and MCP.

import {
  type CreateSandbox,
  type DeployKey,
  type DestroyedProject,
  type Duplicates,
  isSwitchyardError,
  type OfferedKey,
  type ProjectCandidate,
  type ProjectInfo,
  type ProjectStatusInfo,
  type Sandbox,
  type SandboxChanged,
  type SandboxEntry,
  type SandboxImported,
  type StartedProject,
  type StartProject,
  SwitchyardError,
} from '@switchyard/contracts'
import { listFound, listProjects, type ProjectRow } from '@switchyard/records'
import { type Caller, isOperator, requireOperator } from '../access/caller.ts'
import { ownerServerOf } from '../access/owner-server.ts'
import { findChangeableProject, findSandboxOf, findUsableProject, mayChange, mayUse } from '../access/projects.ts'
import { checkBranch } from '../validation/branch.ts'
import type { ProjectDeps } from './deps.ts'
import { ensureNoOpenTasks, requireNoTasksOfOthers } from './open-tasks.ts'
import { toProjectInfos } from './project-info.ts'
import { startProject } from './start.ts'
import { targetOf } from './target.ts'
import { storeUpload } from './upload.ts'

/** Limit of an import, ms: a large bundle is slow to fetch. Node's fetch times out after 5 minutes. */
const IMPORT_WAIT_MS = 4 * 60_000
/** Limit of the wait for the git state of sandboxes, ms. */
const STATES_WAIT_MS = 15_000

const notForced = (name: string): SwitchyardError =>
  new SwitchyardError(
    'forbidden',
    `force on sandbox ${name} is reserved for its creator, the project owner and operators`,
    {
      hint: 'Call without force; that works if no task of another key is open in the sandbox and no work would be lost.',
    },
  )

export class ProjectService {
  readonly #deps: ProjectDeps

  constructor(deps: ProjectDeps) {
    this.#deps = deps
  }

  start(caller: Caller, input: StartProject, signal?: AbortSignal): Promise<StartedProject> {
    return startProject(this.#deps, caller, input, signal)
  }

  /** Returns the projects that the caller may use, newest first. */
  async list(caller: Caller): Promise<readonly ProjectInfo[]> {
    const { records } = this.#deps
    return await toProjectInfos(
      records,
      (await listProjects(records.db)).filter((row) => mayUse(caller, row)),
    )
  }

  /** Returns the repositories on disk that are not projects, as last discovered; empty for agents. */
  async candidates(caller: Caller): Promise<readonly ProjectCandidate[]> {
    if (!isOperator(caller)) return []
    return (await listFound(this.#deps.records.db)).map(({ directory, source, is_managed, url }) => ({
      directory,
      git_url: url,
      managed: is_managed,
      source,
    }))
  }

  /** @param project - an id, or a repository's URL or path. @throws SwitchyardError `project_not_found` */
  async info(caller: Caller, project: string): Promise<ProjectInfo> {
    return await this.#infoOf(await findUsableProject(this.#deps.records, caller, project))
  }

  async #infoOf(row: ProjectRow): Promise<ProjectInfo> {
    const [info] = await toProjectInfos(this.#deps.records, [row])
    if (!info) throw new Error(`${row.id} has no project info`)
    return info
  }

  /** Returns the project with the git state of each sandbox. @throws SwitchyardError `project_not_found` */
  async status(caller: Caller, project: string, signal?: AbortSignal): Promise<ProjectStatusInfo> {
    const row = await findUsableProject(this.#deps.records, caller, project)
    const info = await this.#infoOf(row)
    const entries = info.worktrees.length > 0 ? await this.#readStates(row, signal) : []
    const stateOf = (name: string) => entries.find((sandbox) => sandbox.name === name)?.state ?? null
    return { ...info, worktrees: info.worktrees.map((sandbox) => ({ ...sandbox, state: stateOf(sandbox.name) })) }
  }

  /** Returns the git state of sandboxes, or nothing if no worker responds in time. */
  async #readStates(row: ProjectRow, signal: AbortSignal | undefined): Promise<readonly SandboxEntry[]> {
    const options = { target: targetOf(this.#deps, row), signal, waitMs: STATES_WAIT_MS }
    try {
      return (await this.#deps.calls.call('sandbox.list', { project_id: row.id }, options)).sandboxes
    } catch (error) {
      if (isSwitchyardError(error)) return []
      throw error
    }
  }

  /**
   * Aborts the sessions of a project and releases its server; files and sessions stay.
   *
   * @throws SwitchyardError `project_not_found`; `project_busy` if it is shared with the caller and has open tasks of others
   */
  async stop(caller: Caller, project: string, signal?: AbortSignal): Promise<ProjectInfo> {
    const row = await findUsableProject(this.#deps.records, caller, project)
    if (!mayChange(caller, row)) await requireNoTasksOfOthers(this.#deps, caller, row)
    await this.#deps.calls.call('project.stop', { project_id: row.id }, { target: targetOf(this.#deps, row), signal })
    return await this.info(caller, row.id)
  }

  /** @throws SwitchyardError `project_not_found`, `project_not_ready`, `sandbox_exists`, `sandbox_failed`, `branch_*` */
  async createSandbox(caller: Caller, project: string, input: CreateSandbox, signal?: AbortSignal): Promise<Sandbox> {
    const row = await findUsableProject(this.#deps.records, caller, project)
    if (input.branch !== undefined) checkBranch('branch', input.branch)
    if (input.base_branch !== undefined) checkBranch('base_branch', input.base_branch)
    const server = ownerServerOf(this.#deps.config, caller, row)
    const args = { ...input, project_id: row.id, owner_key: caller.name, server }
    const options = { target: targetOf(this.#deps, row), signal }
    return (await this.#deps.calls.call('sandbox.create', args, options)).sandbox
  }

  /** Stops and starts a project. @throws SwitchyardError as `stop` and `start` */
  async restart(caller: Caller, project: string, signal?: AbortSignal): Promise<ProjectInfo> {
    const { git_url } = await this.stop(caller, project, signal)
    await this.start(caller, { git_url }, signal)
    return await this.info(caller, project)
  }

  /**
   * Deletes a project with its clone, sandboxes and registration. The caller's own checkout stays.
   *
   * @param force - cancels its tasks and saves unpushed work in bundles, instead of refusing
   * @throws SwitchyardError `project_not_found`, `project_busy`, `work_would_be_lost`
   */
  async destroy(caller: Caller, project: string, force: boolean, signal?: AbortSignal): Promise<DestroyedProject> {
    const row = await findChangeableProject(this.#deps.records, caller, project, 'destroying it')
    await ensureNoOpenTasks(this.#deps, caller, row, { force, signal })
    const options = { target: targetOf(this.#deps, row), signal }
    const { bundles } = await this.#deps.calls.call('project.destroy', { project_id: row.id, force }, options)
    const saved = bundles.length > 0 ? `; unpushed work was saved in ${bundles.join(', ')} on the worker's host` : ''
    const own = row.is_managed ? '' : `; your checkout ${row.base_dir} was not changed`
    return {
      git_url: row.url,
      project_id: row.id,
      status: 'destroyed',
      bundles,
      message: `${row.url} is no longer registered${saved}${own}`,
    }
  }

  /** Returns the sandboxes with their git state. @throws SwitchyardError `project_not_found`, `worker_unavailable` */
  async sandboxes(caller: Caller, project: string, signal?: AbortSignal): Promise<readonly SandboxEntry[]> {
    const row = await findUsableProject(this.#deps.records, caller, project)
    const options = { target: targetOf(this.#deps, row), signal }
    return (await this.#deps.calls.call('sandbox.list', { project_id: row.id }, options)).sandboxes
  }

  /**
   * Deletes a sandbox, or resets its files to the latest commit of its branch or base.
   *
   * @param args - `force` cancels its tasks and saves unpushed work in a bundle, instead of refusing; `as_imported` treats an
   *   import that nobody has changed since as if it were pushed
   * @throws SwitchyardError `project_not_found`, `sandbox_not_found`, `project_busy`, `work_would_be_lost`; `forbidden` for
   *   `force` and `as_imported` if the caller neither created the sandbox nor may change the project
   */
  async changeSandbox(
    how: 'delete' | 'reset',
    caller: Caller,
    project: string,
    args: { readonly name: string; readonly force: boolean; readonly as_imported?: boolean },
    signal?: AbortSignal,
  ): Promise<SandboxChanged> {
    const row = await findUsableProject(this.#deps.records, caller, project)
    const { name, force } = args
    const { mayForce } = await findSandboxOf(this.#deps.records, caller, row, name)
    // Undoing an import deletes work without a bundle, so it needs the same rights as force.
    if (!mayForce && (force || args.as_imported)) throw notForced(name)
    if (!mayForce) await requireNoTasksOfOthers(this.#deps, caller, row, name)
    await ensureNoOpenTasks(this.#deps, caller, row, { sandbox: name, force, signal })
    const options = { target: targetOf(this.#deps, row), signal }
    const server = ownerServerOf(this.#deps.config, caller, row)
    const { bundle } = await this.#deps.calls.call(`sandbox.${how}`, { project_id: row.id, server, ...args }, options)
    const done = how === 'delete' ? ('deleted' as const) : ('reset' as const)
    const saved = bundle === null ? '' : `; unpushed work was saved in ${bundle} on the worker's host`
    return { name, done, bundle, message: `sandbox ${name} was ${done}${saved}` }
  }

  /**
   * Imports the commits and uncommitted changes of a git bundle into a new sandbox.
   *
   * @throws SwitchyardError `forbidden` for agents, `project_not_found`, `sandbox_not_found`, `invalid_bundle`, `bundle_incomplete`,
   *   `worktree_has_work`, `payload_too_large`
   */
  async importSandbox(
    caller: Caller,
    project: string,
    name: string,
    body: ReadableStream<Uint8Array> | null,
    signal?: AbortSignal,
  ): Promise<SandboxImported> {
    requireOperator(caller, 'importing a sandbox')
    const { records, calls } = this.#deps
    const row = await findUsableProject(records, caller, project)
    const uploadId = await storeUpload(records, body)
    const args = { project_id: row.id, name, upload_id: uploadId }
    return await calls.call('sandbox.import', args, { target: 'any', waitMs: IMPORT_WAIT_MS, signal })
  }

  /**
   * Returns the public deploy key of a project and where to add it. Creates the key on the first call.
   *
   * @param rotate - creates a new key; the previous one works until the repository host accepts the new one
   * @throws SwitchyardError `project_not_found`, `worker_unavailable`
   */
  async deployKey(caller: Caller, project: string, rotate: boolean, signal?: AbortSignal): Promise<DeployKey> {
    const { records } = this.#deps
    const row = rotate
      ? await findChangeableProject(records, caller, project, 'rotating its deploy key')
      : await findUsableProject(records, caller, project)
    return await this.#deps.calls.call('key.read', { project_id: row.id, rotate }, { signal })
  }

  /** Returns a public key to seal one deploy key with, for `setKey`. @throws SwitchyardError as `deployKey`; `forbidden` */
  async createKeySeal(caller: Caller, project: string, signal?: AbortSignal): Promise<OfferedKey> {
    const row = await findChangeableProject(this.#deps.records, caller, project, 'setting its deploy key')
    return await this.#deps.calls.call('key.offer_seal', { project_id: row.id }, { signal })
  }

  /**
   * Sets the caller's private key as the deploy key. The previous one works until the repository host accepts this one.
   *
   * @throws SwitchyardError as `createKeySeal`; `invalid_request` if it was sealed with another key; `deploy_key_invalid`
   */
  async setKey(caller: Caller, project: string, sealed: string, signal?: AbortSignal): Promise<DeployKey> {
    const row = await findChangeableProject(this.#deps.records, caller, project, 'setting its deploy key')
    return await this.#deps.calls.call('key.take', { project_id: row.id, sealed }, { signal })
  }

  /** @throws SwitchyardError `forbidden`, `worker_unavailable` */
  async duplicates(caller: Caller, signal?: AbortSignal): Promise<Duplicates> {
    requireOperator(caller, "searching the worker's host for duplicates")
    return await this.#deps.calls.call('project.duplicates', {}, { signal })
  }
}
