// What changed in a working directory since a commit: committed, staged, unstaged and untracked alike.
//
// The directory is not trusted. It is read through a repository of our own, with an index of its own: no configuration,
// hook, filter, attribute or index of the directory's repository, or of one nested in it, has a part in it. Contents are
// read where they are; no copy is made. A file that is ignored and was committed all the same is not seen.

import { lstat } from 'node:fs/promises'
import path from 'node:path'
import type { FileDiff } from '@switchyard/contracts'
import { SwitchyardError } from '@switchyard/contracts'
import { EMPTY_TREE, scratchCommit } from '../clones/scratch.ts'
import type { GitOptions } from '../command/run.ts'
import { type OwnRepository, openOwnRepository } from '../untrusted/isolated-repository.ts'
import { enterFiles } from './fill-index.ts'
import { parseChanges } from './parse-changes.ts'

export type DiffRequest = {
  readonly directory: string
  /** The commit it began from. */
  readonly base: string
  /** Where the base commit's objects are: `.git/objects` of the shared clone or of the scratch repository. */
  readonly objectDirs: readonly string[]
  /** Bytes of the unified diff at most; default 4 MiB. More is cut. */
  readonly maxBytes?: number
  readonly signal?: AbortSignal
}

export type Diff = {
  /** Unified, with binary changes as patches that `git apply` takes. */
  readonly diff: string
  readonly files: readonly FileDiff[]
  readonly additions: number
  readonly deletions: number
  /** The diff or the list was cut, or a file is too large to be shown. */
  readonly truncated: boolean
}

const DEFAULT_MAX_BYTES = 4 * 1_048_576
const MAX_LIST_BYTES = 16 * 1_048_576
/** Files over this size are listed as binary, and not shown. */
const BIG_FILE_BYTES = 20 * 1_048_576
/** Names that are kept out of the diff for their size; a hundred thousand would not fit a command line. */
const MAX_LEFT_OUT = 500
const TIMEOUT_MS = 60_000
const COMPARE: readonly string[] = [
  'diff',
  '--no-ext-diff',
  '--no-textconv',
  '--no-color',
  '--find-renames',
  // Otherwise git runs `git status` inside each one that is checked out, with that one's configuration.
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
  // A link in its place leads to where its agent wants us to read.
  if (!found?.isDirectory()) throw new SwitchyardError('workspace_gone', `${directory} is no longer there`)
  return found
}

/**
 * @throws SwitchyardError `workspace_gone` where there is no such directory; `disk_full`, `call_timeout` after a minute.
 * @example const { files } = await diffAgainst({ directory, base, objectDirs: [`${directory}/.git/objects`] })
 */
export const diffAgainst = async (request: DiffRequest): Promise<Diff> => {
  const before = await statDirectory(request.directory)
  const workTree = path.resolve(request.directory)
  const own = await openOwnRepository({
    objectDirs: request.objectDirs,
    workTree,
    isSha256: request.base.length === 64,
  })
  try {
    const diff = await compare(own, {
      ...request,
      directory: workTree,
      // What a scratch repository begins with is known, even after its agent has made `.git` anew.
      base: request.base === scratchCommit(workTree) ? EMPTY_TREE : request.base,
    })
    const after = await statDirectory(request.directory)
    if (after.ino !== before.ino || after.dev !== before.dev)
      throw new SwitchyardError('workspace_gone', `${request.directory} was replaced while it was read`)
    return diff
  } finally {
    await own.close()
  }
}

const compare = async (own: OwnRepository, request: DiffRequest): Promise<Diff> => {
  const { base, directory } = request
  const options: GitOptions = {
    timeoutMs: TIMEOUT_MS,
    config: CONFIG,
    ...(request.signal ? { signal: request.signal } : {}),
  }
  const { big, isTruncated } = await enterFiles(own, directory, base, BIG_FILE_BYTES, options)
  const list = await own.git([...COMPARE, '--raw', '--numstat', '-z', base], { ...options, maxBytes: MAX_LIST_BYTES })
  const tooBig = big.filter((file) => !file.isNew).slice(0, MAX_LEFT_OUT)
  const text = await own.git(
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
