// Compares a working directory with a commit: committed, staged, unstaged and untracked changes alike.
//
// The directory is not trusted. It is read through an isolated repository, so no configuration, hook, filter, attribute
// or index of the directory's repository, or of a nested one, has any effect. Files are read in place and not copied.
// A file that is ignored but was committed anyway is missing from the result.

import { lstat } from 'node:fs/promises'
import path from 'node:path'
import { type FileDiff, SwitchyardError } from '@switchyard/contracts'
import { EMPTY_TREE, scratchCommit } from '../clones/scratch.ts'
import type { GitOptions } from '../command/run.ts'
import { type IsolatedRepository, openIsolatedRepository } from '../untrusted/isolated-repository.ts'
import { fillIndex } from './fill-index.ts'
import { parseChanges } from './parse-changes.ts'

export type DiffRequest = {
  readonly directory: string
  /** The commit to compare with: the one that the work started from. */
  readonly base: string
  /** Object directories with the base commit: `.git/objects` of the shared clone or of the scratch repository. */
  readonly objectDirs: readonly string[]
  /** Limit of the unified diff in bytes; default 4 MiB. The rest is cut. */
  readonly maxBytes?: number
  readonly signal?: AbortSignal
}

export type Diff = {
  /** A unified diff, with binary changes in the format of `git apply`. */
  readonly diff: string
  readonly files: readonly FileDiff[]
  readonly additions: number
  readonly deletions: number
  /** True when the diff or the list was cut, or when a file is too large for the diff. */
  readonly truncated: boolean
}

const DEFAULT_MAX_BYTES = 4 * 1_048_576
const MAX_LIST_BYTES = 16 * 1_048_576
/** Larger files are listed as binary, and left out of the diff. */
const BIG_FILE_BYTES = 20 * 1_048_576
/** How many large files can be excluded from the diff by name: a command line has a limited length. */
const MAX_EXCLUDED = 500
const TIMEOUT_MS = 60_000
const COMPARE: readonly string[] = [
  'diff',
  '--no-ext-diff',
  '--no-textconv',
  '--no-color',
  '--find-renames',
  // Otherwise git runs `git status` inside every submodule, with the submodule's configuration.
  '--ignore-submodules=all',
]
const CONFIG: readonly string[] = [
  `core.bigFileThreshold=${BIG_FILE_BYTES}`,
  'core.quotePath=false',
  'core.symlinks=true',
  'core.autocrlf=false',
  'core.safecrlf=false',
  'diff.renames=true',
]

const statDirectory = async (directory: string) => {
  const found = await lstat(directory).catch(() => undefined)
  // A link is refused: the agent may have replaced the directory by a link to files that it cannot read itself.
  if (!found?.isDirectory()) throw new SwitchyardError('workspace_gone', `${directory} no longer exists`)
  return found
}

/**
 * Returns the difference between a commit and a working directory.
 *
 * @throws SwitchyardError `workspace_gone` when the directory does not exist or is replaced meanwhile; `disk_full`;
 *   `call_timeout` after a minute
 * @example const { files } = await diffAgainst({ directory, base, objectDirs: [`${directory}/.git/objects`] })
 */
export const diffAgainst = async (request: DiffRequest): Promise<Diff> => {
  const before = await statDirectory(request.directory)
  const workTree = path.resolve(request.directory)
  const isolated = await openIsolatedRepository({
    objectDirs: request.objectDirs,
    workTree,
    isSha256: request.base.length === 64,
  })
  try {
    const diff = await compare(isolated, {
      ...request,
      directory: workTree,
      // We know the tree of this commit even if the agent has recreated `.git` without it.
      base: request.base === scratchCommit(workTree) ? EMPTY_TREE : request.base,
    })
    const after = await statDirectory(request.directory)
    if (after.ino !== before.ino || after.dev !== before.dev)
      throw new SwitchyardError('workspace_gone', `${request.directory} was replaced during the comparison`)
    return diff
  } finally {
    await isolated.close()
  }
}

const compare = async (isolated: IsolatedRepository, request: DiffRequest): Promise<Diff> => {
  const { base, directory } = request
  const options: GitOptions = {
    timeoutMs: TIMEOUT_MS,
    config: CONFIG,
    ...(request.signal ? { signal: request.signal } : {}),
  }
  const { big, isTruncated } = await fillIndex(isolated, directory, base, BIG_FILE_BYTES, options)
  const list = await isolated.git([...COMPARE, '--raw', '--numstat', '-z', base], {
    ...options,
    maxBytes: MAX_LIST_BYTES,
  })
  const tooBig = big.filter((file) => !file.isNew).slice(0, MAX_EXCLUDED)
  const text = await isolated.git(
    [
      ...COMPARE,
      '--binary',
      '--full-index',
      base,
      '--',
      ':/',
      ...tooBig.map((file) => `:(exclude,top,literal)${file.path}`),
    ],
    { ...options, maxBytes: request.maxBytes ?? DEFAULT_MAX_BYTES },
  )
  const files = [
    ...parseChanges(list.stdout.toString('utf8')),
    ...big.filter((file) => file.isNew).map((file) => bigFile(file.path)),
  ].toSorted((a, b) => (a.path < b.path ? -1 : 1))
  return {
    diff: text.stdout.toString('utf8'),
    files,
    additions: files.reduce((sum, file) => sum + file.additions, 0),
    deletions: files.reduce((sum, file) => sum + file.deletions, 0),
    truncated: text.truncated || list.truncated || isTruncated || big.length > 0,
  }
}

const bigFile = (name: string): FileDiff => ({ path: name, status: 'added', additions: 0, deletions: 0, binary: true })
