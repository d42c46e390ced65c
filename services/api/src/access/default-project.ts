// Finds the project of a call that does not name one.

import { SwitchyardError } from '@switchyard/contracts'
import { listProjects, type ProjectRow, type Records } from '@switchyard/records'
import type { Caller } from './caller.ts'
import { findUsableProject, mayUse } from './projects.ts'

const HINT =
  'Name the project: /project/{id}/session; or set a default: PATCH /project/{id} with {"metadata":{"settings":{"default":true}}}.'

/**
 * Returns the named project, else the one whose settings contain `default: true`, else the only one that the caller may
 * use. The caller's own projects take precedence: a default that another key sets does not redirect the caller's calls.
 *
 * @throws SwitchyardError `project_not_found`
 */
export const findProjectOrDefault = async (
  records: Records,
  caller: Caller,
  project: string | undefined,
): Promise<ProjectRow> => {
  if (project !== undefined) return await findUsableProject(records, caller, project)
  const usable = (await listProjects(records.db)).filter((row) => mayUse(caller, row))
  const defaults = usable.filter((row) => row.settings.default === true)
  const ownDefaults = defaults.filter((row) => row.owner_key === caller.name)
  const [only, ...further] = [ownDefaults, defaults, usable].find((rows) => rows.length > 0) ?? []
  if (only && further.length === 0) return only
  throw new SwitchyardError('project_not_found', 'no default project is set', { hint: HINT })
}
