// What a caller may do with a project; the table is in docs/projects.md. The owner, the agents in its permissions and
// operators may use it. Only the owner and operators may change it or override the work of others in it.

import path from 'node:path'
import { SwitchyardError } from '@switchyard/contracts'
import { findProjectIn, findSandbox, type ProjectRow, type Records, type SandboxRow } from '@switchyard/records'
import { type Caller, isOperator } from './caller.ts'
import { resolveProject } from './project-names.ts'

/** Returns whether the caller may use a project. Anyone may use a repository that is not registered. */
export const mayUse = (caller: Caller, row: ProjectRow | undefined): boolean =>
  !row?.registered_at ||
  isOperator(caller) ||
  row.owner_key === caller.name ||
  (row.permissions.agents?.includes(caller.name) ?? false)

/** Returns whether the caller may change or destroy a project, and override the work of others in it. */
export const mayChange = (caller: Caller, row: ProjectRow | undefined): boolean =>
  !row?.registered_at || isOperator(caller) || row.owner_key === caller.name

/**
 * Refuses a caller who may use the project but not change it.
 *
 * @param what - the refused action, as the subject of a sentence: `destroying it`
 * @throws SwitchyardError `forbidden`
 */
export const requireChange = (caller: Caller, row: ProjectRow, what: string): void => {
  if (mayChange(caller, row)) return
  throw new SwitchyardError(
    'forbidden',
    `${row.url} is shared with you; ${what} is reserved for its owner and operators`,
    { hint: 'Ask an operator or the owner of the key that registered the project.' },
  )
}

const findByName = async (records: Records, project: string): Promise<ProjectRow | undefined> => {
  const { row } = await resolveProject(records, project).catch((error: unknown) => {
    // An unknown project id is "not found", not an invalid argument.
    if (project.startsWith('proj_')) return { row: undefined }
    throw error
  })
  return row
}

/** Finds the project that a checkout belongs to. */
const findByDirectory = async (records: Records, project: string): Promise<ProjectRow | undefined> =>
  path.isAbsolute(project) ? await findProjectIn(records.db, path.resolve(project)) : undefined

/**
 * Returns a registered project that the caller may use.
 *
 * @param project - a project id, a repository's URL or path, or one of the project's working directories
 * @throws SwitchyardError `invalid_project`; `project_not_found`, also for a project that the caller may not use
 */
export const findUsableProject = async (records: Records, caller: Caller, project: string): Promise<ProjectRow> => {
  const row = (await findByDirectory(records, project)) ?? (await findByName(records, project))
  if (row?.registered_at && mayUse(caller, row)) return row
  throw new SwitchyardError('project_not_found', `project ${project.slice(0, 200)} is not registered`)
}

/**
 * Returns a registered project that the caller may change.
 *
 * @param what - see `requireChange`
 * @throws SwitchyardError as `findUsableProject`; `forbidden`
 */
export const findChangeableProject = async (
  records: Records,
  caller: Caller,
  project: string,
  what: string,
): Promise<ProjectRow> => {
  const row = await findUsableProject(records, caller, project)
  requireChange(caller, row, what)
  return row
}

/**
 * Returns a sandbox, and whether the caller may override the work of others in it. The sandbox's creator and everyone
 * who may change the project may.
 *
 * @throws SwitchyardError `sandbox_not_found`
 */
export const findSandboxOf = async (
  records: Records,
  caller: Caller,
  project: ProjectRow,
  name: string,
): Promise<{ readonly sandbox: SandboxRow; readonly mayForce: boolean }> => {
  const sandbox = await findSandbox(records.db, project.id, name)
  if (!sandbox) throw new SwitchyardError('sandbox_not_found', `sandbox ${name} does not exist`)
  return { sandbox, mayForce: mayChange(caller, project) || sandbox.owner_key === caller.name }
}
