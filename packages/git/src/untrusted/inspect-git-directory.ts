// Checks that a git directory that an agent can write to still has the structure that git gave it.

import { lstat, readdir } from 'node:fs/promises'
import path from 'node:path'
import { SwitchyardError } from '@switchyard/contracts'

export const damagedRepository = (directory: string, what: string): SwitchyardError =>
  new SwitchyardError('repository_unavailable', `the repository in ${directory} is damaged: ${what}`, {
    hint: 'Move that directory away. If it is the shared clone of a project, the next sandbox creates it again from the mirror.',
    retryable: false,
  })

/**
 * Checks the git directory of a clone before anything is written through it: directories are directories, and
 * no link leads out of it.
 *
 * @throws SwitchyardError `repository_unavailable`, with a message that says what is damaged
 */
export const inspectClone = async (directory: string): Promise<void> =>
  await inspectGitDirectory(path.join(directory, '.git'), directory)

/**
 * Checks a git directory as `inspectClone` does.
 *
 * @param directory - the working directory, for the message
 */
export const inspectGitDirectory = async (gitDir: string, directory: string): Promise<void> => {
  const kindOf = async (name: string) => {
    const found = await lstat(path.join(gitDir, name)).catch(() => undefined)
    return found === undefined ? 'missing' : found.isDirectory() ? 'directory' : found.isFile() ? 'file' : 'other'
  }
  for (const name of ['.', 'objects', 'refs'])
    if ((await kindOf(name)) !== 'directory') throw damagedRepository(directory, `.git/${name} is not a directory`)
  for (const name of ['worktrees', 'objects/pack', 'objects/info'])
    if (!['directory', 'missing'].includes(await kindOf(name)))
      throw damagedRepository(directory, `.git/${name} is not a directory`)
  for (const name of ['packed-refs', 'shallow'])
    if (!['file', 'missing'].includes(await kindOf(name)))
      throw damagedRepository(directory, `.git/${name} is not a file`)
  const refs = await readdir(path.join(gitDir, 'refs'), { recursive: true, withFileTypes: true })
  if (refs.some((entry) => !entry.isDirectory() && !entry.isFile()))
    throw damagedRepository(directory, 'a ref is a link')
}
