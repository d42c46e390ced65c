// Saves all that goes with a working directory in one git bundle: where HEAD is, its branch, and what was not committed. What there
// is to save is read where our records say, as it is when it is counted; the directory's own word has no part in it.

import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { fromFileError } from '@switchyard/contracts'
import { HEAD_REF, WORKTREE_REF } from '../foreign/bundle.ts'
import { type GitPlace, readHead } from '../untrusted/git-directory.ts'
import { openOwnRepository } from '../untrusted/isolated-repository.ts'
import { readGuarded } from '../untrusted/read-guarded.ts'
import { writeBundle } from '../untrusted/write-bundle.ts'
import { commitWholeWork, wholeWorkOptions } from './commit-all-work.ts'
import { isCommit } from './commit-work.ts'

export type OwnBranch = { readonly name: string; readonly tip: string }

export type SaveRequest = {
  readonly directory: string
  /** Where its commits are. */
  readonly place: GitPlace
  /** Objects that are read beside those of `place`: those of the mirror, which are trusted. */
  readonly objectDirs: readonly string[]
  /** The branch that goes with the directory, whatever is checked out. */
  readonly branch?: OwnBranch | undefined
  /** Where to write the bundle. */
  readonly file: string
  readonly signal?: AbortSignal
}

/**
 * Writes `refs/switchyard/head`, `refs/heads/<branch>`, and `refs/switchyard/worktree`: what was not committed, as one commit on
 * top of HEAD, or the first one where HEAD has none. Each is left out where there is no such thing. Of a submodule with work the
 * files are in the last, in the place of what names it, and `refs/switchyard/submodules/<n>-<path>/…` are its commits: `head`,
 * `heads/<branch>`, `stash/<n>`. Whole or not at all.
 *
 * @returns false where there was nothing to save: no commit and no file
 * @throws SwitchyardError `payload_too_large` with a file over 512 MiB, `disk_full`, `directory_unwritable`, `call_timeout`,
 *   `repository_*` where objects are missing
 */
export const saveWork = async (request: SaveRequest): Promise<boolean> => {
  const { place, branch, file, signal } = request
  const directory = path.resolve(request.directory)
  const named = (await readHead(place)).commit
  const own = await openOwnRepository({
    objectDirs: [...request.objectDirs, path.join(place.commonDir, 'objects')],
    workTree: directory,
    isSha256: (named ?? branch?.tip)?.length === 64,
  })
  const options = wholeWorkOptions(signal)
  try {
    const shallow = await readGuarded(path.join(place.commonDir, 'shallow'))
    if (shallow !== '') await writeFile(path.join(own.directory, 'shallow'), shallow)
    const head = named !== undefined && (await isCommit(own, named, options)) ? named : undefined
    const { snapshot, inside } = await commitWholeWork({ own, directory, place, head }, options)
    const refs = new Map(inside)
    if (head !== undefined) refs.set(HEAD_REF, head)
    if (branch !== undefined) refs.set(`refs/heads/${branch.name}`, branch.tip)
    if (snapshot !== undefined) refs.set(WORKTREE_REF, snapshot)
    if (refs.size === 0) return false
    for (const [ref, commit] of refs) await own.git(['update-ref', '--end-of-options', ref, commit], options)
    await writeBundle(own, file, [...refs.keys()], options)
    return true
  } catch (error) {
    throw fromFileError(error, file)
  } finally {
    await own.close()
  }
}
