// Enters what a working directory holds into an index of our own, without a copy of any content and without asking a
// nested repository for anything.

import { lstat } from 'node:fs/promises'
import path from 'node:path'
import { type GitOptions, MAX_TEXT_BYTES } from '../command/run.ts'
import type { OwnRepository } from '../untrusted/isolated-repository.ts'
import { findUntracked, type ListLimits, SHOWN } from './untracked.ts'

/** An untracked file is entered with this content, which it has not: git then reads the file itself. */
const EMPTY_BLOB = {
  40: 'e69de29bb2d1d6434b8b29ae775ad8c2e48c5391',
  64: '473a0f4c3be8a93681a267e3b1e9a7dcda1185436fe141f7749120a303721813',
}
const AT_ONCE = 64

export type ChangedFiles = {
  /** Changed, added or deleted, and small enough to be read. */
  readonly names: readonly string[]
  /** Over the limit: added ones are not in the index, changed ones are. */
  readonly big: readonly { readonly path: string; readonly isNew: boolean }[]
  /** There are more changed or untracked files than were listed. */
  readonly isTruncated: boolean
}

type Kinds = { readonly small: readonly string[]; readonly big: readonly string[]; readonly odd: readonly string[] }

/** Pipes, sockets and devices are odd; what is gone counts as small. */
const sort = async (directory: string, names: readonly string[], maxFileBytes: number): Promise<Kinds> => {
  const kinds = { small: [] as string[], big: [] as string[], odd: [] as string[] }
  for (let at = 0; at < names.length; at += AT_ONCE)
    await Promise.all(
      names.slice(at, at + AT_ONCE).map(async (name) => {
        const found = await lstat(path.join(directory, name)).catch(() => undefined)
        if (found?.isFile() && found.size > maxFileBytes) kinds.big.push(name)
        else if (found === undefined || found.isFile() || found.isSymbolicLink() || found.isDirectory())
          kinds.small.push(name)
        else kinds.odd.push(name)
      }),
    )
  return kinds
}

/** What is entered. */
export type Entered = {
  /** How many untracked files; default: as many as can be shown. */
  readonly limits?: ListLimits
  /** Submodules whose files are entered in the place of what the commit names. */
  readonly asFiles?: readonly string[]
}

/** @param commit - what the directory is compared with: a commit or a tree */
export const enterFiles = async (
  own: OwnRepository,
  directory: string,
  commit: string,
  maxFileBytes: number,
  options: GitOptions,
  { limits = SHOWN, asFiles = [] }: Entered = {},
): Promise<ChangedFiles> => {
  const update = (args: readonly string[], entries: readonly string[]) =>
    own.git(['update-index', '-q', '--ignore-submodules', ...args, '-z', '--index-info'], {
      ...options,
      input: entries.map((entry) => `${entry}\0`).join(''),
      okCodes: [0, 1],
    })
  await own.git(['read-tree', commit], options)
  const blob = commit.length === 64 ? EMPTY_BLOB[64] : EMPTY_BLOB[40]
  const remove = (names: readonly string[]) =>
    update(
      [],
      names.map((name) => `0 ${'0'.repeat(blob.length)} 0\t${name}`),
    )
  if (asFiles.length > 0) await remove(asFiles)
  const untracked = await findUntracked(own, directory, options, [''], limits)
  const added = await sort(directory, untracked.names, maxFileBytes)
  // Refreshed once, here: the comparisons that follow read only what has changed.
  await update(
    ['--refresh'],
    added.small.map((name) => `100644 ${blob} 0\t${name}`),
  )
  const told = await own.git(['diff-files', '--name-only', '-z', '--ignore-submodules=all'], {
    ...options,
    maxBytes: MAX_TEXT_BYTES,
  })
  const changed = await sort(directory, told.stdout.toString('utf8').split('\0').slice(0, -1), maxFileBytes)
  // Where a file was, git would fail on a pipe: for it, the file is gone.
  if (changed.odd.length > 0) await remove(changed.odd)
  return {
    names: changed.small,
    big: [
      ...added.big.map((name) => ({ path: name, isNew: true })),
      ...changed.big.map((name) => ({ path: name, isNew: false })),
    ],
    isTruncated: untracked.isTruncated || told.truncated,
  }
}
