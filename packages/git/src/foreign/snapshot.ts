// What a checkout's files hold beside its commits: changed and untracked ones, as one commit on top, made in a repository of ours.

import { copyFile, lstat } from 'node:fs/promises'
import path from 'node:path'
import { enterFiles } from '../changes/fill-index.ts'
import type { GitOptions } from '../command/run.ts'
import type { ForeignCheckout } from './open.ts'

const TIMEOUT_MS = 5 * 60_000
/** A file over this size is no work of anybody's hands; it is left out, and named. */
const MAX_FILE_BYTES = 512 * 1_048_576

export const SNAPSHOT_OPTIONS: GitOptions = {
  timeoutMs: TIMEOUT_MS,
  config: ['core.autocrlf=false', 'core.safecrlf=false'],
}

export type Uncommitted = {
  /** Changed, added and deleted files. */
  readonly names: readonly string[]
  /** Too large to be carried. */
  readonly left: readonly string[]
  /** There are more untracked files than can be carried. */
  readonly isTruncated: boolean
}

/** Files that a sparse checkout leaves out on purpose: that they are not there is no change. */
const findLeftOut = async ({ own, gitDir }: ForeignCheckout): Promise<ReadonlySet<string>> => {
  const index = path.join(gitDir, 'index')
  if (!(await lstat(index).catch(() => undefined))?.isFile()) return new Set()
  const copy = path.join(own.directory, 'their-index')
  await copyFile(index, copy)
  const told = await own.git(['ls-files', '-t', '-z'], {
    ...SNAPSHOT_OPTIONS,
    env: { GIT_INDEX_FILE: copy },
    okCodes: [0, 128],
  })
  const lines = told.code === 0 ? told.stdout.toString('utf8').split('\0') : []
  return new Set(lines.filter((line) => line.startsWith('S ')).map((line) => line.slice(2)))
}

/** Reads names and sizes; ignored files do not count. */
export const findUncommitted = async (checkout: ForeignCheckout): Promise<Uncommitted> => {
  const { own, directory } = checkout
  const found = await enterFiles(own, directory, await startOf(checkout), MAX_FILE_BYTES, SNAPSHOT_OPTIONS)
  const leftOut = await findLeftOut(checkout)
  return {
    names: found.names.filter((name) => !leftOut.has(name)),
    left: found.big.map((file) => file.path),
    isTruncated: found.isTruncated,
  }
}

/** Any other date would make another commit of the same work, when a migration that broke off is run again. */
const WHO = 'Switchyard <switchyard@localhost> 946684800 +0000'
/**
 * Where git writes an object that another repository has, it renews that file's time there: a change in a tree that
 * is not ours. While it writes, it knows of no other.
 */
const WRITING: GitOptions = { ...SNAPSHOT_OPTIONS, env: { GIT_ALTERNATE_OBJECT_DIRECTORIES: '' } }

const writeLine = async ({ own }: ForeignCheckout, args: readonly string[], input = ''): Promise<string> =>
  (await own.git(args, { ...WRITING, input })).stdout.toString('utf8').trim()

/** What a checkout without a commit is compared with. */
export const startOf = async (checkout: ForeignCheckout): Promise<string> =>
  checkout.head ?? (await writeLine(checkout, ['mktree']))

/** The changes as a commit on top of HEAD (or the first one, where there is none); null where there are none. */
export const commitUncommitted = async (checkout: ForeignCheckout, { names }: Uncommitted): Promise<string | null> => {
  if (names.length === 0) return null
  const { own, head } = checkout
  await own.git(['read-tree', await startOf(checkout)], SNAPSHOT_OPTIONS)
  await own.git(['update-index', '--ignore-submodules', '--add', '--remove', '-z', '--stdin'], {
    ...WRITING,
    input: names.map((name) => `${name}\0`).join(''),
  })
  const tree = await writeLine(checkout, ['write-tree', '--missing-ok'])
  const lines = [`tree ${tree}`, ...(head ? [`parent ${head}`] : []), `author ${WHO}`, `committer ${WHO}`]
  const text = `${lines.join('\n')}\n\nWork that was not committed\n`
  return await writeLine(checkout, ['hash-object', '-t', 'commit', '-w', '--stdin'], text)
}
