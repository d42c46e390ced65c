// Where the commits of a task are stored.

import path from 'node:path'
import { SwitchyardError } from '@switchyard/contracts'
import { parseRepositoryUrl, type Repositories, type RepositoryIdentity } from '@switchyard/git'
import { findProject, type Records, type TaskRow } from '@switchyard/records'

/**
 * Returns the repository of a task's project.
 *
 * @throws SwitchyardError `invalid_project`
 */
export const projectIdentity = async (records: Records, projectId: string): Promise<RepositoryIdentity> => {
  const project = await findProject(records.db, projectId)
  if (!project) throw new SwitchyardError('invalid_project', `project ${projectId} does not exist`)
  return parseRepositoryUrl(project.url)
}

/**
 * Returns the object directories that have a task's commits, the most trusted first: the shared clone of its project, the
 * task's own repository (a scratch task, or a clone in Docker mode), or both.
 *
 * @throws SwitchyardError `invalid_project`, `database_unavailable`
 */
export const objectDirectories = async (
  {
    records,
    repositories,
  }: { readonly records: Records; readonly repositories: Pick<Repositories, 'objectDirectory'> },
  row: Pick<TaskRow, 'directory' | 'project_id' | 'mode'>,
): Promise<readonly string[]> => {
  const own = row.directory === null ? [] : [path.join(row.directory, '.git', 'objects')]
  if (row.project_id === null) return own
  const shared = repositories.objectDirectory(await projectIdentity(records, row.project_id))
  return row.mode === 'docker' ? [shared, ...own] : [shared]
}
