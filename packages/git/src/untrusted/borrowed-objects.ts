// Refuses repositories that read objects from elsewhere. git follows links and lists of alternate object
// directories wherever they lead, for example to another project's repository.

import { lstat, readdir } from 'node:fs/promises'
import path from 'node:path'
import { SwitchyardError } from '@switchyard/contracts'

const borrows = (directory: string, what: string, hint: string): SwitchyardError =>
  new SwitchyardError('repository_unavailable', `the repository at ${directory} borrows objects: ${what}`, {
    hint,
    retryable: false,
  })

const isLink = async (target: string): Promise<boolean> =>
  (await lstat(target).catch(() => undefined))?.isSymbolicLink() ?? false

/**
 * Checks that object directories are not links and name no alternates.
 *
 * @throws SwitchyardError `repository_unavailable`
 */
export const requireNoAlternates = async (objectDirs: readonly string[]): Promise<void> => {
  for (const directory of objectDirs) {
    // `.git` itself may be a link too.
    for (const target of [path.dirname(directory), directory])
      if (await isLink(target)) throw borrows(directory, `${target} is a link`, 'Replace the link by the directory.')
    if (await lstat(path.join(directory, 'info', 'alternates')).catch(() => undefined))
      throw borrows(directory, 'objects/info/alternates names other repositories', 'Delete objects/info/alternates.')
  }
}

/**
 * Checks that no file or directory among the objects is a link. Needed when only an agent says where the
 * repository is. Takes 25 ms for a few thousand files.
 *
 * @throws SwitchyardError `repository_unavailable`
 */
export const requireNoLinks = async (objectDir: string): Promise<void> => {
  const entries = await readdir(objectDir, { recursive: true, withFileTypes: true })
  const link = entries.find((entry) => !entry.isFile() && !entry.isDirectory())
  if (link === undefined) return
  const name = path.relative(objectDir, path.join(link.parentPath, link.name))
  throw borrows(objectDir, `${name} is a link`, 'Replace the link by the file.')
}
