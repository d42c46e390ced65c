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

/**
 * Checks that an object directory names no alternates.
 *
 * @throws SwitchyardError `repository_unavailable`
 */
export const requireNoAlternates = async (objectDir: string): Promise<void> => {
  if (await lstat(path.join(objectDir, 'info', 'alternates')).catch(() => undefined))
    throw borrows(objectDir, 'objects/info/alternates names other repositories', 'Delete objects/info/alternates.')
}

/**
 * Checks that no file or directory among the objects is a link. Needed where an agent can write. Takes 25 ms for a few
 * thousand files.
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
