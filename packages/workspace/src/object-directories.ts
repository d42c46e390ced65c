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
 * Returns the object directories that have a task's commits, the most trusted first: those of the project's mirror, and
 * those of the task's own repository, or of the shared clone for a task in a sandbox.
 *
 * @throws SwitchyardError `invalid_project`, `database_unavailable`
 */
export const objectDirectories = async (
  {
    records,
    repositories,
  }: { readonly records: Records; readonly repositories: Pick<Repositories, 'objectDirectories'> },
  row: Pick<TaskRow, 'directory' | 'project_id'>,
): Promise<readonly string[]> => {
  if (row.directory === null) return []
  if (row.project_id === null) return [path.join(row.directory, '.git', 'objects')]
  return await repositories.objectDirectories(await projectIdentity(records, row.project_id), row.directory)
}
