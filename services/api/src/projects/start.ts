// Registers a repository and has a worker start it. Safe to repeat: one repository is one project.

import path from 'node:path'
import {
  type CallTarget,
  isSwitchyardError,
  type StartedProject,
  type StartProject,
  SwitchyardError,
} from '@switchyard/contracts'
import { parseRepositoryUrl, projectName } from '@switchyard/git'
import { findProject, type ProjectPatch, type ProjectRow, registerProject, updateProject } from '@switchyard/records'
import type { Caller } from '../caller.ts'
import { maySee } from './access.ts'
import type { ProjectDeps } from './deps.ts'
import { projectIdOf } from './identity.ts'

/** The rest of a clone that takes longer is followed by the project's status, ms. */
const START_WAIT_MS = 45_000

export const targetOf = ({ config }: ProjectDeps, row: ProjectRow): CallTarget =>
  config.opencode.serverEnabled ? row.pool : 'any'

const checkModel = (model: string): string => {
  if (/^[^/\s]+\/\S+$/.test(model)) return model
  throw new SwitchyardError('invalid_model', `${JSON.stringify(model)} is not provider/model`)
}

/** `<owner>-<repo>`; of two repositories with that name the second has its key's hash behind it. */
const managedDirectory = (deps: ProjectDeps, name: string, slug: string, isTaken: boolean): string =>
  path.join(deps.config.workspacesDir, isTaken ? slug : name)

/** Names that mean something else under WORKSPACES_DIR. */
const RESERVED: ReadonlySet<string> = new Set(['repos', 'tasks', 'sandboxes', 'docker'])

const isDirectoryTaken = (error: unknown): boolean =>
  error instanceof Error &&
  /projects_base_dir/.test(`${error.message} ${(error as { constraint?: string }).constraint}`)

const register = async (deps: ProjectDeps, caller: Caller, input: StartProject) => {
  const identity = parseRepositoryUrl(input.git_url)
  const name = projectName(identity)
  const insert = (isTaken: boolean) =>
    registerProject(deps.records.db, {
      id: projectIdOf(identity.key),
      key: identity.key,
      url: identity.displayUrl,
      owner_key: caller.name,
      name: input.name ?? name,
      base_dir: managedDirectory(deps, name, identity.slug, isTaken),
      is_managed: true,
      pool: 'blue',
    })
  return await insert(RESERVED.has(name)).catch((error: unknown) => {
    if (!isDirectoryTaken(error)) throw error
    return insert(true)
  })
}

const tell = (row: ProjectRow, status: StartedProject['status'], message: string): StartedProject => ({
  status,
  project_id: row.id,
  git_url: row.url,
  base_dir: row.base_dir,
  port: null,
  url: null,
  public_key: row.public_key,
  next_step: null,
  message,
  warnings: [...row.warnings],
})

/**
 * @throws SwitchyardError `invalid_project`, `invalid_model`, `forbidden`, `worker_unavailable`, `repository_*`,
 *   `disk_full`, `directory_unwritable`
 */
export const startProject = async (
  deps: ProjectDeps,
  caller: Caller,
  input: StartProject,
  signal: AbortSignal | undefined,
): Promise<StartedProject> => {
  const { records, calls } = deps
  const model = input.model === undefined ? undefined : checkModel(input.model)
  const { row: found, created } = await register(deps, caller, input)
  if (!created && !maySee(caller, found))
    throw new SwitchyardError('forbidden', `${found.url} is a project of another key`, {
      hint: 'Ask its owner, or an operator, to share it with you.',
    })
  const wanted: ProjectPatch = {
    ...(model === undefined ? {} : { model }),
    ...(input.isolation === undefined ? {} : { isolation: input.isolation }),
    ...(!created && input.name !== undefined ? { name: input.name } : {}),
  }
  const row = (Object.keys(wanted).length > 0 ? await updateProject(records.db, found.id, wanted) : undefined) ?? found
  if (row.status === 'ready') return tell(row, 'already_running', `${row.url} is ready in ${row.base_dir}`)
  try {
    await calls.call(
      'project.start',
      { project_id: row.id },
      { target: targetOf(deps, row), waitMs: START_WAIT_MS, signal },
    )
  } catch (error) {
    if (!isSwitchyardError(error, 'call_timeout')) throw error
    return {
      ...tell(row, 'started', `${row.url} is still being cloned`),
      next_step: 'Call opencode_project_status until its status is ready.',
    }
  }
  const now = (await findProject(records.db, row.id)) ?? row
  return tell(now, 'started', `${now.url} is ready in ${now.base_dir}`)
}
