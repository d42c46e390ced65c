// Counts the files of a working directory that differ from a commit. With a cached index this takes one git process.

import type { GitOptions } from '../command/run.ts'
import type { IsolatedRepository } from '../untrusted/isolated-repository.ts'
import type { CachedIndex } from './index-cache.ts'
import { findUntracked } from './untracked.ts'

const MAX_BYTES = 16 * 1_048_576

const readStatus = async (isolated: IsolatedRepository, directory: string, index: string, options: GitOptions) => {
  const { stdout } = await isolated.git(
    ['status', '--porcelain', '-z', '--untracked-files=all', '--no-renames', '--ignore-submodules=all'],
    // The locks let git write the file times that it reads to the index, which belongs to us.
    { ...options, env: { GIT_INDEX_FILE: index, GIT_OPTIONAL_LOCKS: '1' }, maxBytes: MAX_BYTES },
  )
  const entries = stdout.toString('utf8').split('\0').slice(0, -1)
  const nested = entries.filter((entry) => entry.startsWith('??') && entry.endsWith('/')).map((entry) => entry.slice(3))
  if (nested.length === 0) return entries.length
  const untracked = await findUntracked(isolated, directory, options, nested)
  // A truncated list counts as one more change, because the rest may contain work.
  return entries.length - nested.length + untracked.names.length + (untracked.isTruncated ? 1 : 0)
}

/**
 * Returns the number of changed, added and deleted files, including those in nested repositories. Ignored files do
 * not count.
 *
 * @param isolated - a repository whose HEAD is `commit`
 * @param commit - a commit or a tree
 */
export const countChanges = async (
  isolated: IsolatedRepository,
  directory: string,
  commit: string,
  { file, commit: indexed }: CachedIndex,
  options: GitOptions,
): Promise<number> => {
  // Keeps the cached times and sizes of files that are the same in both commits.
  if (indexed !== commit)
    await isolated.git(['read-tree', '--reset', commit], { ...options, env: { GIT_INDEX_FILE: file } })
  return await readStatus(isolated, directory, file, options)
}
