// Everything a caller can do with projects, whichever way it came in: REST or MCP.

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
import { findChangeableProject, findSandboxOf, findUsableProject, mayChange, mayUse } from '../access/projects.ts'
import { checkBranch } from '../validation/branch.ts'
import { clearTasks, requireNoTasksOfOthers } from './clear-tasks.ts'
import type { ProjectDeps } from './deps.ts'
import { toProjectInfos } from './info.ts'
import { startProject } from './start.ts'
import { targetOf } from './target.ts'
import { storeUpload } from './upload.ts'

/** A large repository takes its time; fetch gives up after 5 minutes. */
const IMPORT_WAIT_MS = 4 * 60_000
/** What is told of a project beside its record is not waited for longer, ms. */
const STATES_WAIT_MS = 15_000

const notForced = (name: string): SwitchyardError =>
  new SwitchyardError('forbidden', `force is for who made sandbox ${name}, the project’s owner and operators`, {
    hint: 'Call without: it goes where no task of other keys works in it and nothing would be lost.',
  })

export class ProjectService {
  readonly #deps: ProjectDeps

  constructor(deps: ProjectDeps) {
    this.#deps = deps
  }

  start(caller: Caller, input: StartProject, signal?: AbortSignal): Promise<StartedProject> {
    return startProject(this.#deps, caller, input, signal)
  }

  /** Those that the caller may see, the newest first. */
  async list(caller: Caller): Promise<readonly ProjectInfo[]> {
    const { records } = this.#deps
    return await toProjectInfos(
      records,
      (await listProjects(records.db)).filter((row) => mayUse(caller, row)),
    )
  }

  /** Repositories on disk that no project has, as they were last found; for operators alone. */
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
    if (!info) throw new Error(`${row.id} was not told`)
    return info
  }

  /** As `info`, with git's state of each sandbox. @throws SwitchyardError `project_not_found` */
  async status(caller: Caller, project: string, signal?: AbortSignal): Promise<ProjectStatusInfo> {
    const row = await findUsableProject(this.#deps.records, caller, project)
    const info = await this.#infoOf(row)
    const looked = info.worktrees.length > 0 ? await this.#states(row, signal) : []
    const stateOf = (name: string) => looked.find((sandbox) => sandbox.name === name)?.state ?? null
    return { ...info, worktrees: info.worktrees.map((sandbox) => ({ ...sandbox, state: stateOf(sandbox.name) })) }
  }

  /** A project is told without them where no worker answers in time. */
  async #states(row: ProjectRow, signal: AbortSignal | undefined): Promise<readonly SandboxEntry[]> {
    const options = { target: targetOf(this.#deps, row), signal, waitMs: STATES_WAIT_MS }
    try {
      return (await this.#deps.calls.call('sandbox.list', { project_id: row.id }, options)).sandboxes
    } catch (error) {
      if (isSwitchyardError(error)) return []
      throw error
    }
  }

  /**
   * Ends its sessions’ turns and frees its server; files and sessions stay.
   *
   * @throws SwitchyardError `project_not_found`, `project_busy` where it is shared with the caller and tasks of others are open
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
    const args = { ...input, project_id: row.id, owner_key: caller.name }
    const options = { target: targetOf(this.#deps, row), signal }
    return (await this.#deps.calls.call('sandbox.create', args, options)).sandbox
  }

  /** Stops it and starts it again. @throws SwitchyardError as `stop` and `start` */
  async restart(caller: Caller, project: string, signal?: AbortSignal): Promise<ProjectInfo> {
    const { git_url } = await this.stop(caller, project, signal)
    await this.start(caller, { git_url }, signal)
    return await this.info(caller, project)
  }

  /**
   * Deletes what was made for it and takes the registration back. A checkout of the caller’s own stays.
   *
   * @param force - cancel its tasks and bundle what would be lost, instead of refusing
   * @throws SwitchyardError `project_not_found`, `project_busy`, `work_would_be_lost`
   */
  async destroy(caller: Caller, project: string, force: boolean, signal?: AbortSignal): Promise<DestroyedProject> {
    const row = await findChangeableProject(this.#deps.records, caller, project, 'destroying it')
    await clearTasks(this.#deps, caller, row, { force, signal })
    const options = { target: targetOf(this.#deps, row), signal }
    const { bundles } = await this.#deps.calls.call('project.destroy', { project_id: row.id, force }, options)
    const kept = bundles.length > 0 ? `; what was not pushed is in ${bundles.join(', ')} on the worker’s host` : ''
    const own = row.is_managed ? '' : `; your checkout ${row.base_dir} was left as it is`
    return {
      git_url: row.url,
      project_id: row.id,
      status: 'destroyed',
      bundles,
      message: `${row.url} is no longer registered${kept}${own}`,
    }
  }

  /** With how each stands to its base. @throws SwitchyardError `project_not_found`, `worker_unavailable` */
  async sandboxes(caller: Caller, project: string, signal?: AbortSignal): Promise<readonly SandboxEntry[]> {
    const row = await findUsableProject(this.#deps.records, caller, project)
    const options = { target: targetOf(this.#deps, row), signal }
    return (await this.#deps.calls.call('sandbox.list', { project_id: row.id }, options)).sandboxes
  }

  /**
   * @param how - `reset`: its files are made anew from the newest of its branch or base
   * @param args - `force`: cancel its tasks and bundle what would be lost, instead of refusing; `as_imported`: an import in which
   *   nothing was changed since may go as if it were pushed
   * @throws SwitchyardError `project_not_found`, `sandbox_not_found`, `project_busy`, `work_would_be_lost`, `forbidden` for
   *   `force` and `as_imported` of whoever neither made the sandbox nor may change the project
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
    // An import that is taken back leaves nothing of itself here, not even a bundle.
    if (!mayForce && (force || args.as_imported)) throw notForced(name)
    if (!mayForce) await requireNoTasksOfOthers(this.#deps, caller, row, name)
    await clearTasks(this.#deps, caller, row, { sandbox: name, force, signal })
    const options = { target: targetOf(this.#deps, row), signal }
    const { bundle } = await this.#deps.calls.call(`sandbox.${how}`, { project_id: row.id, ...args }, options)
    const done = how === 'delete' ? ('deleted' as const) : ('reset' as const)
    const kept = bundle === null ? '' : `; what was not pushed is in ${bundle} on the worker’s host`
    return { name, done, bundle, message: `sandbox ${name} is ${done}${kept}` }
  }

  /**
   * Gives a new sandbox the commits and changes of a git bundle.
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
   * The public half of its deploy key, made where there is none, and where to add it.
   *
   * @param rotate - make a new one; the one before works until the new one was accepted
   * @throws SwitchyardError `project_not_found`, `worker_unavailable`
   */
  async deployKey(caller: Caller, project: string, rotate: boolean, signal?: AbortSignal): Promise<DeployKey> {
    const { records } = this.#deps
    const row = rotate
      ? await findChangeableProject(records, caller, project, 'a new key')
      : await findUsableProject(records, caller, project)
    return await this.#deps.calls.call('key.read', { project_id: row.id, rotate }, { signal })
  }

  /** A key to seal one deploy key with, for `takeKey`. @throws SwitchyardError as `deployKey`, `forbidden` */
  async offerKeySeal(caller: Caller, project: string, signal?: AbortSignal): Promise<OfferedKey> {
    const row = await findChangeableProject(this.#deps.records, caller, project, 'giving it a key')
    return await this.#deps.calls.call('key.offer_seal', { project_id: row.id }, { signal })
  }

  /**
   * Makes a deploy key that somebody has the project's; the one before works until this one was accepted.
   *
   * @throws SwitchyardError as `offerKeySeal`, `invalid_request` where it was sealed with another key, `deploy_key_invalid`
   */
  async takeKey(caller: Caller, project: string, sealed: string, signal?: AbortSignal): Promise<DeployKey> {
    const row = await findChangeableProject(this.#deps.records, caller, project, 'giving it a key')
    return await this.#deps.calls.call('key.take', { project_id: row.id, sealed }, { signal })
  }

  /** @throws SwitchyardError `forbidden`, `worker_unavailable` */
  async duplicates(caller: Caller, signal?: AbortSignal): Promise<Duplicates> {
    requireOperator(caller, "searching the worker's host for duplicates")
    return await this.#deps.calls.call('project.duplicates', {}, { signal })
  }
}
