// Bundles everything that is lost with a working directory, with its whole history: HEAD, its branch, uncommitted changes,
// and, for a repository of its own, other branches, tags and stashes. It reads the git directory that our records name, as `workState` does, and not what the directory claims.

import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { fromFileError } from '@switchyard/contracts'
import type { GitDirectory } from '../untrusted/git-directory.ts'
import { openIsolatedRepository } from '../untrusted/isolated-repository.ts'
import { readUntrustedFile } from '../untrusted/read-untrusted-file.ts'
import { readHead } from '../untrusted/refs.ts'
import { HEAD_REF, WORKTREE_REF } from '../untrusted/switchyard-refs.ts'
import { writeBundle } from '../untrusted/write-bundle.ts'
import type { BranchTip } from '../worktrees/worktrees.ts'
import { allWorkOptions, commitAllWork } from './commit-all-work.ts'
import { isCommit } from './commit-work.ts'
import { readOtherWork } from './other-work.ts'

export type BundleWithHistoryRequest = {
  readonly directory: string
  readonly gitDirectory: GitDirectory
  /** More object directories to read from: those of the mirror, which are trusted. */
  readonly objectDirs: readonly string[]
  /** The tips of the remote's branches and tags: a branch that has nothing else is not saved. */
  readonly remoteTips?: readonly string[] | undefined
  /** The branch that the worktree was created on, whatever is checked out. */
  readonly branch?: BranchTip | undefined
  /** Where to write the bundle. */
  readonly file: string
  readonly signal?: AbortSignal
}

/**
 * Writes the bundle. The file appears only when it is complete. The bundle contains those of these refs that exist:
 *
 * - `refs/switchyard/head`: what is checked out
 * - `refs/heads/<branch>`: the branch that the worktree was created on
 * - `refs/switchyard/worktree`: uncommitted changes, as one commit on top of HEAD, or as a first commit without HEAD.
 *   It contains the files of submodules with work, instead of the commits that HEAD names.
 * - of a repository of its own: `refs/heads/<branch>` and `refs/tags/<tag>` with commits that the remote does not have, and
 *   `refs/switchyard/stash/<n>`, newest first
 * - `refs/switchyard/submodules/<n>-<path>/head`, `…/heads/<branch>` and `…/stash/<n>`: the commits of these submodules
 *
 * @returns false when there is neither a commit nor a file
 * @throws SwitchyardError `payload_too_large` when a file is over 512 MiB; `disk_full`, `directory_unwritable`,
 *   `call_timeout`; `repository_*` when objects are missing
 */
export const bundleWithHistory = async (request: BundleWithHistoryRequest): Promise<boolean> => {
  const { gitDirectory, branch, file, signal } = request
  const directory = path.resolve(request.directory)
  const claimed = (await readHead(gitDirectory)).commit
  const isolated = await openIsolatedRepository({
    objectDirs: [...request.objectDirs, path.join(gitDirectory.commonDir, 'objects')],
    workTree: directory,
    isSha256: (claimed ?? branch?.tip)?.length === 64,
  })
  const options = allWorkOptions(signal)
  try {
    const shallow = await readUntrustedFile(path.join(gitDirectory.commonDir, 'shallow'))
    if (shallow !== '') await writeFile(path.join(isolated.directory, 'shallow'), shallow)
    const head = claimed !== undefined && (await isCommit(isolated, claimed, options)) ? claimed : undefined
    const { snapshot, submoduleRefs } = await commitAllWork({ isolated, directory, gitDirectory, head }, options)
    const refs = new Map(submoduleRefs)
    if (head !== undefined) refs.set(HEAD_REF, head)
    if (branch !== undefined) refs.set(`refs/heads/${branch.name}`, branch.tip)
    if (snapshot !== undefined) refs.set(WORKTREE_REF, snapshot)
    const safe = [...(request.remoteTips ?? []), ...refs.values()]
    for (const [ref, commit] of await readOtherWork({ isolated, gitDirectory, safe }, options)) refs.set(ref, commit)
    if (refs.size === 0) return false
    for (const [ref, commit] of refs) await isolated.git(['update-ref', '--end-of-options', ref, commit], options)
    await writeBundle(isolated, file, [...refs.keys()], options)
    return true
  } catch (error) {
    throw fromFileError(error, file)
  } finally {
    await isolated.close()
  }
}
