// Bundles the work in a directory since its base commit: its commits, one more for what was never committed, and, for a
// repository of its own, other branches, tags and stashes. Nothing that the directory configures has any effect.

import { lstat } from 'node:fs/promises'
import path from 'node:path'
import { fromFileError } from '@switchyard/contracts'
import { findGitDirectory, type GitDirectory } from '../untrusted/git-directory.ts'
import { openIsolatedRepository } from '../untrusted/isolated-repository.ts'
import { readHead } from '../untrusted/refs.ts'
import { LEFT_BRANCH_REF } from '../untrusted/switchyard-refs.ts'
import { writeBundle } from '../untrusted/write-bundle.ts'
import { allWorkOptions, commitAllWork } from './commit-all-work.ts'
import { isCommit } from './commit-work.ts'
import { readOtherWork } from './other-work.ts'

export type BundleSinceBaseRequest = {
  readonly directory: string
  /** The commit that the work started from. A repository needs it to use the bundle. */
  readonly base: string
  readonly objectDirs: readonly string[]
  /** As `Repositories.gitDirectoryOf` returns it. Without it, the work in submodules is not saved. */
  readonly gitDirectory?: GitDirectory | undefined
  /** The tips of the remote's branches and tags: their commits are not work. */
  readonly remoteTips?: readonly string[]
  /** Where to write the bundle. */
  readonly file: string
  /** The name of the branch in the bundle. */
  readonly branch: string
}

/**
 * Writes the bundle. The file appears only when it is complete.
 *
 * @returns false when there is nothing to save: the directory is unchanged, or does not exist
 * @throws SwitchyardError `disk_full`, `directory_unwritable`, `call_timeout`; `payload_too_large` when a file is over
 *   512 MiB
 */
export const bundleSinceBase = async (request: BundleSinceBaseRequest): Promise<boolean> => {
  const { base, branch, file, objectDirs } = request
  const directory = path.resolve(request.directory)
  // A link is refused: the agent may have replaced the directory by a link to files that it cannot read itself.
  if (!(await lstat(directory).catch(() => undefined))?.isDirectory()) return false
  const isolated = await openIsolatedRepository({ objectDirs, workTree: directory, isSha256: base.length === 64 })
  const options = allWorkOptions()
  try {
    const hasBase = await isCommit(isolated, base, options)
    // A git directory that only the directory itself claims is safe here: a commit counts only if it is among
    // `objectDirs`.
    const gitDirectory = request.gitDirectory ?? (await findGitDirectory(directory))
    const claimed = gitDirectory && (await readHead(gitDirectory)).commit
    const found = claimed !== undefined && (await isCommit(isolated, claimed, options)) ? claimed : undefined
    const head = found ?? (hasBase ? base : undefined)
    const { snapshot, submoduleRefs } = await commitAllWork(
      { isolated, directory, gitDirectory: request.gitDirectory, head, published: hasBase ? base : undefined },
      options,
    )
    const tip = snapshot ?? head
    const safe = [...(request.remoteTips ?? []), ...(hasBase ? [base] : []), ...(tip === undefined ? [] : [tip])]
    const other = await readOtherWork({ isolated, gitDirectory: request.gitDirectory, safe }, options)
    if (tip === undefined || (tip === base && submoduleRefs.size === 0 && other.size === 0)) return false
    const refs = new Map([...other, ...submoduleRefs])
    const left = other.get(`refs/heads/${branch}`)
    // The agent went on with another branch: what it left on this one is saved under another name.
    if (left !== undefined) refs.set(LEFT_BRANCH_REF, left)
    refs.set(`refs/heads/${branch}`, tip)
    for (const [ref, commit] of refs) await isolated.git(['update-ref', ref, commit], options)
    // The base is missing after `rm -r .git && git init`. Then the bundle contains all commits.
    await writeBundle(isolated, file, [...refs.keys(), ...(hasBase ? [`^${base}`] : [])], options)
    return true
  } catch (error) {
    throw fromFileError(error, file)
  } finally {
    await isolated.close()
  }
}
