// Whether the objects of a repository are its own: git follows links and lists of other repositories' objects wherever they lead,
// to another project's for one.

import { lstat, readdir } from 'node:fs/promises'
import path from 'node:path'
import { SwitchyardError } from '@switchyard/contracts'

const borrows = (directory: string, what: string, hint: string): SwitchyardError =>
  new SwitchyardError('repository_unavailable', `the repository at ${directory} borrows objects: ${what}`, {
    hint,
    retryable: false,
  })

const isLink = async (place: string): Promise<boolean> =>
  (await lstat(place).catch(() => undefined))?.isSymbolicLink() ?? false

/**
 * Of directories of objects: that none is a link, or names others to read from.
 *
 * @throws SwitchyardError `repository_unavailable`
 */
export const requireNoAlternates = async (objectDirs: readonly string[]): Promise<void> => {
  for (const directory of objectDirs) {
    // `.git` itself may lead elsewhere too.
    for (const place of [path.dirname(directory), directory])
      if (await isLink(place)) throw borrows(directory, `${place} is a link`, 'Put the directory itself there.')
    if (await lstat(path.join(directory, 'info', 'alternates')).catch(() => undefined))
      throw borrows(directory, 'it names others in info/alternates', 'Take its objects/info/alternates away.')
  }
}

/**
 * That no file or directory among the objects is a link: for a repository that is known by an agent's word alone. Takes 25 ms for a few
 * thousand files.
 *
 * @throws SwitchyardError `repository_unavailable`
 */
export const requireNoLinks = async (objectDir: string): Promise<void> => {
  const entries = await readdir(objectDir, { recursive: true, withFileTypes: true })
  const odd = entries.find((entry) => !entry.isFile() && !entry.isDirectory())
  if (odd === undefined) return
  const name = path.relative(objectDir, path.join(odd.parentPath, odd.name))
  throw borrows(objectDir, `${name} is a link`, 'Put the file itself there.')
}
