// Finds the git directory of a working directory that an agent writes to and that is not one of our worktrees.
// Only a repository inside the directory itself counts.
//
// A `.git` file or a link could lead to any repository of this machine, whose commits would then be published or
// exported as the work of this directory. It proves nothing that the other repository names the directory in
// return: the agent may own that repository too.

import path from 'node:path'
import { SwitchyardError } from '@switchyard/contracts'
import { requireNoAlternates, requireNoLinks } from './borrowed-objects.ts'
import { findGitDirectory, type GitDirectory, isRealDirectory } from './git-directory.ts'
import { inspectClone } from './inspect-git-directory.ts'

/**
 * Checks a repository whose location only an agent vouches for.
 *
 * @throws SwitchyardError `repository_unavailable` when it is damaged, or reads objects from elsewhere
 */
export const inspectRepository = async ({ commonDir }: GitDirectory): Promise<void> => {
  await inspectClone(path.dirname(commonDir))
  await requireNoAlternates(path.join(commonDir, 'objects'))
  await requireNoLinks(path.join(commonDir, 'objects'))
}

/**
 * Returns the git directory inside a working directory.
 *
 * @throws SwitchyardError `workspace_gone` when the directory contains no repository; `repository_unavailable`
 *   when the repository is damaged, or reads objects from elsewhere
 */
export const findOwnGitDirectory = async (given: string): Promise<GitDirectory> => {
  const directory = path.resolve(given)
  const found = (await isRealDirectory(directory)) ? await findGitDirectory(directory) : undefined
  if (found?.gitDir !== path.join(directory, '.git'))
    throw new SwitchyardError('workspace_gone', `${directory} contains no git repository`)
  await inspectRepository(found)
  return found
}
