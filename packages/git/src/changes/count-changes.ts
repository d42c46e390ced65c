// How many files of a working directory differ from a commit: one git process where the index of the last look was kept.

import type { GitOptions } from '../command/run.ts'
import type { OwnRepository } from '../untrusted/isolated-repository.ts'
import type { KeptIndex } from './index-cache.ts'
import { findUntracked } from './untracked.ts'

const MAX_BYTES = 16 * 1_048_576

/** Changed, added and deleted files, those in nested repositories among them; ignored ones do not count. */
const readStatus = async (own: OwnRepository, directory: string, index: string, options: GitOptions) => {
  const { stdout } = await own.git(
    ['status', '--porcelain', '-z', '--untracked-files=all', '--no-renames', '--ignore-submodules=all'],
    // The index is ours, so what is learned of the files is written into it.
    { ...options, env: { GIT_INDEX_FILE: index, GIT_OPTIONAL_LOCKS: '1' }, maxBytes: MAX_BYTES },
  )
  const entries = stdout.toString('utf8').split('\0').slice(0, -1)
  const nested = entries.filter((entry) => entry.startsWith('??') && entry.endsWith('/')).map((entry) => entry.slice(3))
  if (nested.length === 0) return entries.length
  const inside = await findUntracked(own, directory, options, nested)
  // What is in those that were not looked into is work until somebody says otherwise.
  return entries.length - nested.length + inside.names.length + (inside.isTruncated ? 1 : 0)
}

/**
 * @param own - a repository of our own with `commit` as its HEAD
 * @param commit - or a tree
 */
export const countChanges = async (
  own: OwnRepository,
  directory: string,
  commit: string,
  { file, commit: indexed }: KeptIndex,
  options: GitOptions,
): Promise<number> => {
  // What it holds of the times and sizes of files that are the same in both commits stays.
  if (indexed !== commit) await own.git(['read-tree', '--reset', commit], { ...options, env: { GIT_INDEX_FILE: file } })
  return await readStatus(own, directory, file, options)
}
