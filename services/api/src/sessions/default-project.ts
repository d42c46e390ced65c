// The project of a call that names none.

import { SwitchyardError } from '@switchyard/contracts'
import { listProjects, type ProjectRow, type Records } from '@switchyard/records'
import type { Caller } from '../caller.ts'
import { findOwnProject, maySee } from '../projects/access.ts'

/**
 * The one that is named, else the one whose settings say `default: true`, else the only one that the caller may use. Of those
 * that are marked the caller's own come first: another key's mark does not move where its calls go.
 *
 * @throws SwitchyardError `project_not_found`
 */
export const defaultProject = async (
  records: Records,
  caller: Caller,
  project: string | undefined,
): Promise<ProjectRow> => {
  if (project !== undefined) return await findOwnProject(records, caller, project)
  const own = (await listProjects(records.db)).filter((row) => maySee(caller, row))
  const marked = own.filter((row) => row.settings.default === true)
  const markedOwn = marked.filter((row) => row.owner_key === caller.name)
  const [only, ...further] = [markedOwn, marked, own].find((rows) => rows.length > 0) ?? []
  if (only && further.length === 0) return only
  throw new SwitchyardError(
    'project_not_found',
    `which of your ${own.length} projects is the default one is not said`,
    {
      hint: 'Name the project: /project/{id}/session; or make one the default: PATCH /project/{id} with {"metadata":{"settings":{"default":true}}}.',
    },
  )
}
