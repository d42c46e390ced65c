// What names a project: an id of ours, or a repository's URL or path.

import { SwitchyardError } from '@switchyard/contracts'
import { parseRepositoryUrl, projectIdOf } from '@switchyard/git/identity'
import { findProject, type ProjectRow, type Records } from '@switchyard/records'

const PROJECT_ID = /^proj_[0-9A-HJKMNP-TV-Z]{26}$/

const isProjectId = (text: string): boolean => PROJECT_ID.test(text)

export type NamedProject = {
  readonly id: string
  readonly key: string
  readonly url: string
  /** Its row, where it has one. */
  readonly row: ProjectRow | undefined
}

/** The id under which a task's project is kept; for a filter, so it need not exist. */
export const projectFilter = (project: string): string =>
  isProjectId(project) ? project : projectIdOf(parseRepositoryUrl(project).key)

/** @throws SwitchyardError `invalid_project` */
export const resolveProject = async (records: Records, project: string): Promise<NamedProject> => {
  if (!project.startsWith('proj_')) {
    const { key, displayUrl } = parseRepositoryUrl(project)
    const id = projectIdOf(key)
    const row = await findProject(records.db, id)
    return { id, key, url: row?.url ?? displayUrl, row }
  }
  const known = isProjectId(project) ? await findProject(records.db, project) : undefined
  if (!known) throw new SwitchyardError('invalid_project', `there is no project ${project.slice(0, 60)}`)
  return { id: known.id, key: known.key, url: known.url, row: known }
}
