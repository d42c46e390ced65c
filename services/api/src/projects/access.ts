// Finds a registered project for a caller. A project is its owner's, the agents' that its permissions name, and operators'.

import path from 'node:path'
import { SwitchyardError } from '@switchyard/contracts'
import { findProjectIn, type ProjectRow, type Records } from '@switchyard/records'
import type { Caller } from '../caller.ts'
import { resolveProject } from './identity.ts'

/** Whether the caller may use a project. One that is not registered has nothing of anyone's: whoever names it may. */
export const maySee = (caller: Caller, row: ProjectRow | undefined): boolean =>
  !row?.registered_at ||
  caller.role === 'operator' ||
  row.owner_key === caller.name ||
  (row.permissions.agents?.includes(caller.name) ?? false)

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
