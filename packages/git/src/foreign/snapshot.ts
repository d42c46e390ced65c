// Creates one commit with the uncommitted changes of a checkout, in the isolated repository.

import { copyFile, lstat } from 'node:fs/promises'
import path from 'node:path'
import { fillIndex } from '../changes/fill-index.ts'
import type { GitOptions } from '../command/run.ts'
import type { ForeignCheckout } from './open-foreign.ts'

const TIMEOUT_MS = 5 * 60_000
/** Larger files are hardly ever source files; they are left out and reported. */
const MAX_FILE_BYTES = 512 * 1_048_576

export const SNAPSHOT_OPTIONS: GitOptions = {
  timeoutMs: TIMEOUT_MS,
  config: ['core.autocrlf=false', 'core.safecrlf=false'],
}

export type Uncommitted = {
  /** Changed, added and deleted files. */
  readonly names: readonly string[]
  /** Files that are too large to copy. */
  readonly tooLarge: readonly string[]
  /** True when there are more untracked files than can be copied. */
  readonly isTruncated: boolean
}

/** Returns the files that a sparse checkout omits: their absence is not a change. */
const findOmitted = async ({ isolated, gitDir }: ForeignCheckout): Promise<ReadonlySet<string>> => {
  const index = path.join(gitDir, 'index')
  if (!(await lstat(index).catch(() => undefined))?.isFile()) return new Set()
  const copy = path.join(isolated.directory, 'their-index')
  await copyFile(index, copy)
  const { code, stdout } = await isolated.git(['ls-files', '-t', '-z'], {
    ...SNAPSHOT_OPTIONS,
    env: { GIT_INDEX_FILE: copy },
    okCodes: [0, 128],
  })
  const lines = code === 0 ? stdout.toString('utf8').split('\0') : []
  return new Set(lines.filter((line) => line.startsWith('S ')).map((line) => line.slice(2)))
}

/** Lists the uncommitted changes of a checkout. Ignored files do not count. */
export const findUncommitted = async (checkout: ForeignCheckout): Promise<Uncommitted> => {
  const { isolated, directory } = checkout
  const found = await fillIndex(isolated, directory, await startOf(checkout), MAX_FILE_BYTES, SNAPSHOT_OPTIONS)
  const omitted = await findOmitted(checkout)
  return {
    names: found.names.filter((name) => !omitted.has(name)),
    tooLarge: found.big.map((file) => file.path),
    isTruncated: found.isTruncated,
  }
}

/** The date is fixed so that a repeated migration creates the same commit for the same work. */
const AUTHOR = 'Switchyard <switchyard@localhost> 946684800 +0000'
/**
 * git updates the time of an object file that an alternate already has, which would change the foreign repository.
 * So the alternates are hidden while git writes objects.
 */
const WRITE_OPTIONS: GitOptions = { ...SNAPSHOT_OPTIONS, env: { GIT_ALTERNATE_OBJECT_DIRECTORIES: '' } }

const writeLine = async ({ isolated }: ForeignCheckout, args: readonly string[], input = ''): Promise<string> =>
  await isolated.line(args, { ...WRITE_OPTIONS, input })

/** Returns what the files are compared with: HEAD, or the empty tree when there is no commit. */
export const startOf = async (checkout: ForeignCheckout): Promise<string> =>
  checkout.head ?? (await writeLine(checkout, ['mktree']))

/** Returns a commit of the changes on top of HEAD, or as a first commit when there is no HEAD; null without changes. */
export const commitUncommitted = async (checkout: ForeignCheckout, { names }: Uncommitted): Promise<string | null> => {
  if (names.length === 0) return null
  const { isolated, head } = checkout
  await isolated.git(['read-tree', await startOf(checkout)], SNAPSHOT_OPTIONS)
  await isolated.git(['update-index', '--ignore-submodules', '--add', '--remove', '-z', '--stdin'], {
    ...WRITE_OPTIONS,
    input: names.map((name) => `${name}\0`).join(''),
  })
  const tree = await writeLine(checkout, ['write-tree', '--missing-ok'])
  const lines = [`tree ${tree}`, ...(head ? [`parent ${head}`] : []), `author ${AUTHOR}`, `committer ${AUTHOR}`]
  const text = `${lines.join('\n')}\n\nWork that was not committed\n`
  return await writeLine(checkout, ['hash-object', '-t', 'commit', '-w', '--stdin'], text)
}
