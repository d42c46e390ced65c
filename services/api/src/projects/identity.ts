// What names a project: an id of ours, or a repository's URL or path.

import { createHash } from 'node:crypto'
import { SwitchyardError } from '@switchyard/contracts'
import { parseRepositoryUrl } from '@switchyard/git'
import { findProject, type ProjectRow, type Records } from '@switchyard/records'

const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
const PROJECT_ID = /^proj_[0-9A-HJKMNP-TV-Z]{26}$/

/** `proj_` and 130 bits of the key's hash: the same repository has the same id in every process. */
export const projectIdOf = (key: string): string => {
  const digest = createHash('sha256').update(key).digest()
  let bits = digest.readBigUInt64BE(0) * 2n ** 128n + digest.readBigUInt64BE(8) * 2n ** 64n + digest.readBigUInt64BE(16)
  let text = ''
  for (let at = 0; at < 26; at += 1) {
    text += ALPHABET[Number(bits & 31n)]
    bits >>= 5n
  }
  return `proj_${text}`
}

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
