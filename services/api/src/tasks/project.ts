// The project a task names: an id of ours, or a repository's URL or path.

import { createHash } from 'node:crypto'
import { SwitchyardError } from '@switchyard/contracts'
import { parseRepositoryUrl } from '@switchyard/git'
import { findProject, type Records } from '@switchyard/records'

const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
const PROJECT_ID = /^proj_[0-9A-HJKMNP-TV-Z]{26}$/

/** `proj_` and 130 bits of the key's hash: the same repository has the same id in every process. */
const projectIdOf = (key: string): string => {
  const digest = createHash('sha256').update(key).digest()
  let bits = digest.readBigUInt64BE(0) * 2n ** 128n + digest.readBigUInt64BE(8) * 2n ** 64n + digest.readBigUInt64BE(16)
  let text = ''
  for (let at = 0; at < 26; at += 1) {
    text += ALPHABET[Number(bits & 31n)]
    bits >>= 5n
  }
  return `proj_${text}`
}

export type Project = { readonly id: string; readonly key: string; readonly url: string }

/** The id under which a task's project is kept; for a filter, so it need not exist. */
export const projectFilter = (project: string): string =>
  PROJECT_ID.test(project) ? project : projectIdOf(parseRepositoryUrl(project).key)

/** @throws SwitchyardError `invalid_project` */
export const resolveProject = async (records: Records, project: string): Promise<Project> => {
  if (!project.startsWith('proj_')) {
    const { key, displayUrl } = parseRepositoryUrl(project)
    return { id: projectIdOf(key), key, url: displayUrl }
  }
  const known = PROJECT_ID.test(project) ? await findProject(records.db, project) : undefined
  if (!known) throw new SwitchyardError('invalid_project', `there is no project ${project.slice(0, 60)}`)
  return { id: known.id, key: known.key, url: known.url }
}
