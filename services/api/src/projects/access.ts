// What a caller may do with a project: the one place that decides (the table is in docs/projects.md). It is used by its owner,
// the agents that its permissions name, and operators; changing it, and what others do in it, is for its owner and operators.

import path from 'node:path'
import { SwitchyardError } from '@switchyard/contracts'
import { findProjectIn, findSandbox, type ProjectRow, type Records, type SandboxRow } from '@switchyard/records'
import type { Caller } from '../caller.ts'
import { resolveProject } from './identity.ts'

/** Whether the caller may use a project. One that is not registered has nothing of anyone's: whoever names it may. */
export const maySee = (caller: Caller, row: ProjectRow | undefined): boolean =>
  !row?.registered_at ||
  caller.role === 'operator' ||
  row.owner_key === caller.name ||
  (row.permissions.agents?.includes(caller.name) ?? false)

/** Whether the caller may change or destroy it, and decide over the work of others in it. */
export const mayChange = (caller: Caller, row: ProjectRow | undefined): boolean =>
  !row?.registered_at || caller.role === 'operator' || row.owner_key === caller.name

/** @param what - is refused, for the message. @throws SwitchyardError `forbidden` */
export const requireChange = (caller: Caller, row: ProjectRow, what: string): void => {
  if (mayChange(caller, row)) return
  throw new SwitchyardError('forbidden', `${row.url} is shared with you; ${what} is for its owner and operators`, {
    hint: 'Ask the key that registered the project, or an operator.',
  })
}

const findNamed = async (records: Records, project: string): Promise<ProjectRow | undefined> => {
  const { row } = await resolveProject(records, project).catch((error: unknown) => {
    // An id that is well written and unknown is no bad request.
    if (project.startsWith('proj_')) return { row: undefined }
    throw error
  })
  return row
}

/** A checkout stands for the project that is worked on in it. */
const findIn = async (records: Records, project: string): Promise<ProjectRow | undefined> =>
  path.isAbsolute(project) ? await findProjectIn(records.db, path.resolve(project)) : undefined

/**
 * @param project - a project id, a repository's URL or path, or the directory that it is worked on in.
 * @throws SwitchyardError `invalid_project`, `project_not_found`: another's project is answered like one that is not there
 */
export const findOwnProject = async (records: Records, caller: Caller, project: string): Promise<ProjectRow> => {
  const row = (await findIn(records, project)) ?? (await findNamed(records, project))
  if (row?.registered_at && maySee(caller, row)) return row
  throw new SwitchyardError('project_not_found', `${project.slice(0, 200)} is not registered`)
}

/** As `findOwnProject`, for what only its owner and operators may. @throws SwitchyardError `forbidden` as well */
export const findChangeable = async (
  records: Records,
  caller: Caller,
  project: string,
  what: string,
): Promise<ProjectRow> => {
  const row = await findOwnProject(records, caller, project)
  requireChange(caller, row, what)
  return row
}

/**
 * A sandbox, and whether the caller may decide over what others do and have there: who made it, and who may change the project.
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
  if (!sandbox) throw new SwitchyardError('sandbox_not_found', `there is no sandbox ${name}`)
  return { sandbox, mayForce: mayChange(caller, project) || sandbox.owner_key === caller.name }
}
