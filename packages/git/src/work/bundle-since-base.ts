// Saves what was done in a working directory as a git bundle, before the directory goes: its commits, and one more for
// what was never committed. As with the diff, nothing of the directory's own configuration has a part in it.

import { lstat } from 'node:fs/promises'
import path from 'node:path'
import { fromFileError } from '@switchyard/contracts'
import { findGitPlace, type GitPlace, readHead } from '../untrusted/git-directory.ts'
import { openOwnRepository } from '../untrusted/isolated-repository.ts'
import { writeBundle } from '../untrusted/write-bundle.ts'
import { commitWholeWork, wholeWorkOptions } from './commit-all-work.ts'
import { isCommit } from './commit-work.ts'

export type BundleRequest = {
  readonly directory: string
  /** The commit it began from; the bundle needs it where it is unpacked. */
  readonly base: string
  readonly objectDirs: readonly string[]
  /** Where its commits are, as `Repositories.placeOf` knows it; the work in submodules is saved only with it. */
  readonly place?: GitPlace | undefined
  /** Where to write the bundle. */
  readonly file: string
  /** The branch's name in the bundle. */
  readonly branch: string
}

/**
 * @returns true where there was something to save; a directory that is as it began, or gone, gives no bundle.
 * @throws SwitchyardError `disk_full`, `directory_unwritable`, `call_timeout`, `payload_too_large` where it holds a file that
 *   no bundle takes
 */
export const bundleWork = async (request: BundleRequest): Promise<boolean> => {
  const directory = path.resolve(request.directory)
  // A link in its place leads to where its agent wants us to read.
  if (!(await lstat(directory).catch(() => undefined))?.isDirectory()) return false
  const own = await openOwnRepository({
    objectDirs: request.objectDirs,
    workTree: directory,
    isSha256: request.base.length === 64,
  })
  const options = wholeWorkOptions()
  try {
    const hasBase = await isCommit(own, request.base, options)
    // By its own word alone, it names a commit among the objects that are read here, or none.
    const place = request.place ?? (await findGitPlace(directory))
    const named = place && (await readHead(place)).commit
    const found = named !== undefined && (await isCommit(own, named, options)) ? named : undefined
    const head = found ?? (hasBase ? request.base : undefined)
    const published = hasBase ? request.base : undefined
    const { snapshot, inside } = await commitWholeWork(
      { own, directory, place: request.place, head, published },
      options,
    )
    const tip = snapshot ?? head
    if (tip === undefined || (tip === request.base && inside.size === 0)) return false
    const refs = new Map([[`refs/heads/${request.branch}`, tip], ...inside])
    for (const [ref, commit] of refs) await own.git(['update-ref', ref, commit], options)
    // Without the base, as after `rm -r .git && git init`, the bundle holds all there is.
    await writeBundle(own, request.file, [...refs.keys(), ...(hasBase ? [`^${request.base}`] : [])], options)
    return true
  } catch (error) {
    throw fromFileError(error, request.file)
  } finally {
    await own.close()
  }
}
