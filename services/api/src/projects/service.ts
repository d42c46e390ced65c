// Everything a caller can do with projects, whichever way it came in: REST or MCP.

import type { CreateSandbox, ProjectInfo, Sandbox, StartedProject, StartProject } from '@switchyard/contracts'
import { listProjects } from '@switchyard/records'
import type { Caller } from '../caller.ts'
import { checkBranch } from '../tasks/branch.ts'
import { findOwnProject, maySee } from './access.ts'
import type { ProjectDeps } from './deps.ts'
import { toProjectInfos } from './info.ts'
import { startProject, targetOf } from './start.ts'

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
      (await listProjects(records.db)).filter((row) => maySee(caller, row)),
    )
  }

  /** @param project - an id, or a repository's URL or path. @throws SwitchyardError `project_not_found` */
  async info(caller: Caller, project: string): Promise<ProjectInfo> {
    const row = await findOwnProject(this.#deps.records, caller, project)
    const [info] = await toProjectInfos(this.#deps.records, [row])
    if (!info) throw new Error(`${row.id} was not told`)
    return info
  }

  /** Ends its sessions’ turns and frees its server; files and sessions stay. @throws SwitchyardError `project_not_found` */
  async stop(caller: Caller, project: string, signal?: AbortSignal): Promise<ProjectInfo> {
    const row = await findOwnProject(this.#deps.records, caller, project)
    await this.#deps.calls.call('project.stop', { project_id: row.id }, { target: targetOf(this.#deps, row), signal })
    return await this.info(caller, row.id)
  }

  /** @throws SwitchyardError `project_not_found`, `project_not_ready`, `sandbox_exists`, `sandbox_failed`, `branch_*` */
  async createSandbox(caller: Caller, project: string, input: CreateSandbox, signal?: AbortSignal): Promise<Sandbox> {
    const row = await findOwnProject(this.#deps.records, caller, project)
    if (input.branch !== undefined) checkBranch('branch', input.branch)
    if (input.base_branch !== undefined) checkBranch('base_branch', input.base_branch)
    const args = { ...input, project_id: row.id, owner_key: caller.name }
    const options = { target: targetOf(this.#deps, row), signal }
    return (await this.#deps.calls.call('sandbox.create', args, options)).sandbox
  }
}
