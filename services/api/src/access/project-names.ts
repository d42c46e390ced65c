// Resolves the ways to name a project: a project id, or a repository's URL or path.

import { SwitchyardError } from '@switchyard/contracts'
import { parseRepositoryUrl, projectIdOf } from '@switchyard/git/identity'
import { findProject, type ProjectRow, type Records } from '@switchyard/records'

const PROJECT_ID = /^proj_[0-9A-HJKMNP-TV-Z]{26}$/

const isProjectId = (text: string): boolean => PROJECT_ID.test(text)

export type NamedProject = {
  readonly id: string
  readonly key: string
  readonly url: string
  /** Undefined when no task or registration has used the repository yet. */
  readonly row: ProjectRow | undefined
}

/**
 * Returns the project id to filter by. The project need not exist.
 *
 * @throws SwitchyardError `invalid_project`
 */
export const toProjectId = (project: string): string =>
  isProjectId(project) ? project : projectIdOf(parseRepositoryUrl(project).key)

/**
 * Returns the project's identity and its row.
 *
 * @throws SwitchyardError `invalid_project`
 */
export const resolveProject = async (records: Records, project: string): Promise<NamedProject> => {
  if (!project.startsWith('proj_')) {
    const { key, displayUrl } = parseRepositoryUrl(project)
    const id = projectIdOf(key)
    const row = await findProject(records.db, id)
    return { id, key, url: row?.url ?? displayUrl, row }
  }
  const row = isProjectId(project) ? await findProject(records.db, project) : undefined
  if (!row) throw new SwitchyardError('invalid_project', `project ${project.slice(0, 60)} does not exist`)
  return { id: row.id, key: row.key, url: row.url, row }
}
