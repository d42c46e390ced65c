// Where the commits of a directory are that an agent writes to and that is no worktree made here: in the directory itself, or nowhere.
//
// A file there, or a link, could lead to any repository of this machine, and what is found there would be published, or handed out, as
// the work of this directory. That the other repository names the directory in return proves nothing: it may be the agent's too.

import path from 'node:path'
import { SwitchyardError } from '@switchyard/contracts'
import { inspectClone } from '../clones/shared-clone.ts'
import { requireNoLinks } from './check-objects.ts'
import { findGitPlace, type GitPlace, isRealDirectory } from './git-directory.ts'

/**
 * That what is found there is the repository's own, where an agent's word alone says where it is.
 *
 * @throws SwitchyardError `repository_unavailable` where it is damaged, or reads objects from elsewhere
 */
export const inspectPlace = async ({ commonDir }: GitPlace): Promise<void> => {
  await inspectClone(path.dirname(commonDir))
  await requireNoLinks(path.join(commonDir, 'objects'))
}

/**
 * @throws SwitchyardError `workspace_gone` where there is no repository in the directory itself; `repository_unavailable`
 *   where there is one that is damaged, or reads objects from elsewhere
 */
export const ownPlaceOf = async (given: string): Promise<GitPlace> => {
  const directory = path.resolve(given)
  const place = (await isRealDirectory(directory)) ? await findGitPlace(directory) : undefined
  if (place?.gitDir !== path.join(directory, '.git'))
    throw new SwitchyardError('workspace_gone', `${directory} is no checkout of a repository of its own`)
  await inspectPlace(place)
  return place
}
