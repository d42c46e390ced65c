// Fills the index of an isolated repository with the files of a working directory, without copying their content
// and without running git in a nested repository.

import { lstat } from 'node:fs/promises'
import path from 'node:path'
import { type GitOptions, MAX_TEXT_BYTES } from '../command/run.ts'
import type { IsolatedRepository } from '../untrusted/isolated-repository.ts'
import { DISPLAY_LIMITS, findUntracked, type ListLimits } from './untracked.ts'

/** An untracked file is entered with this content. It differs from the file, so git reads the file itself later. */
const EMPTY_BLOB = {
  40: 'e69de29bb2d1d6434b8b29ae775ad8c2e48c5391',
  64: '473a0f4c3be8a93681a267e3b1e9a7dcda1185436fe141f7749120a303721813',
}
const CONCURRENT_STATS = 64

export type ChangedFiles = {
  /** Changed, added and deleted files within the size limit. */
  readonly names: readonly string[]
  /** Files over the size limit. Added ones are not in the index; changed ones are. */
  readonly big: readonly { readonly path: string; readonly isNew: boolean }[]
  /** True when there are more changed or untracked files than `names` lists. */
  readonly isTruncated: boolean
}

type BySize = {
  readonly small: readonly string[]
  readonly big: readonly string[]
  readonly special: readonly string[]
}

/** Groups files by size. Pipes, sockets and devices are special; deleted files count as small. */
const groupBySize = async (directory: string, names: readonly string[], maxFileBytes: number): Promise<BySize> => {
  const groups = { small: [] as string[], big: [] as string[], special: [] as string[] }
  for (let at = 0; at < names.length; at += CONCURRENT_STATS)
    await Promise.all(
      names.slice(at, at + CONCURRENT_STATS).map(async (name) => {
        const found = await lstat(path.join(directory, name)).catch(() => undefined)
        if (found?.isFile() && found.size > maxFileBytes) groups.big.push(name)
        else if (found === undefined || found.isFile() || found.isSymbolicLink() || found.isDirectory())
          groups.small.push(name)
        else groups.special.push(name)
      }),
    )
  return groups
}

export type FillOptions = {
  /** Limits on untracked files; default: as many as can be displayed. */
  readonly limits?: ListLimits
  /** Submodules whose files are entered instead of the commits that the superproject names. */
  readonly asFiles?: readonly string[]
}

/**
 * Fills the index with a commit and the untracked files of a directory.
 *
 * @param commit - what the directory is compared with: a commit or a tree
 * @returns the files that differ from the commit
 */
export const fillIndex = async (
  isolated: IsolatedRepository,
  directory: string,
  commit: string,
  maxFileBytes: number,
  options: GitOptions,
  { limits = DISPLAY_LIMITS, asFiles = [] }: FillOptions = {},
): Promise<ChangedFiles> => {
  const update = (args: readonly string[], entries: readonly string[]) =>
    isolated.git(['update-index', '-q', '--ignore-submodules', ...args, '-z', '--index-info'], {
      ...options,
      input: entries.map((entry) => `${entry}\0`).join(''),
      okCodes: [0, 1],
    })
  await isolated.git(['read-tree', commit], options)
  const blob = commit.length === 64 ? EMPTY_BLOB[64] : EMPTY_BLOB[40]
  const remove = (names: readonly string[]) =>
    update(
      [],
      names.map((name) => `0 ${'0'.repeat(blob.length)} 0\t${name}`),
    )
  if (asFiles.length > 0) await remove(asFiles)
  const untracked = await findUntracked(isolated, directory, options, [''], limits)
  const added = await groupBySize(directory, untracked.names, maxFileBytes)
  // One refresh here lets the comparisons that follow read only changed files.
  await update(
    ['--refresh'],
    added.small.map((name) => `100644 ${blob} 0\t${name}`),
  )
  const differing = await isolated.git(['diff-files', '--name-only', '-z', '--ignore-submodules=all'], {
    ...options,
    maxBytes: MAX_TEXT_BYTES,
  })
  const changed = await groupBySize(directory, differing.stdout.toString('utf8').split('\0').slice(0, -1), maxFileBytes)
  // git fails on a pipe in the place of a file, so the file counts as deleted.
  if (changed.special.length > 0) await remove(changed.special)
  return {
    names: changed.small,
    big: [
      ...added.big.map((name) => ({ path: name, isNew: true })),
      ...changed.big.map((name) => ({ path: name, isNew: false })),
    ],
    isTruncated: untracked.isTruncated || differing.truncated,
  }
}
