// What a checkout says of itself, read as files: git itself would read its configuration, and run what that names.

import { lstat, readdir } from 'node:fs/promises'
import path from 'node:path'
import { git } from '../command/run.ts'
import { readGuarded } from './read-guarded.ts'

export type GitPlace = {
  /** Of this working directory. */
  readonly gitDir: string
  /** Of the repository: another one for a linked worktree. */
  readonly commonDir: string
}

const MAX_REFS = 20_000
/** The name of a commit, whole: SHA-1 or SHA-256. */
export const COMMIT = /^[0-9a-f]{40}(?:[0-9a-f]{24})?$/

/** A link in its place leads to where an agent wants us to read. */
export const isRealDirectory = async (place: string): Promise<boolean> =>
  (await lstat(place).catch(() => undefined))?.isDirectory() ?? false

/** The directory that a `.git` file names; undefined where it is no such file. */
const readLinkTo = async (dotGit: string): Promise<string | undefined> => {
  const named = /^gitdir:\s*(\S.*)$/.exec((await readGuarded(dotGit)).trim())?.[1]
  return named === undefined ? undefined : path.resolve(path.dirname(dotGit), named)
}

/**
 * Where a directory says that its repository is: only to be shown, for a file in it can name any repository of this machine.
 * Undefined where there is none, or a `.git` that is a link or has its commits elsewhere. What a linked worktree names need not be there.
 */
export const findGitPlace = async (directory: string): Promise<GitPlace | undefined> => {
  const dotGit = path.join(directory, '.git')
  if (await isRealDirectory(dotGit)) {
    const isElsewhere = (await lstat(path.join(dotGit, 'commondir')).catch(() => undefined)) !== undefined
    return isElsewhere ? undefined : { gitDir: dotGit, commonDir: dotGit }
  }
  const gitDir = await readLinkTo(dotGit)
  if (gitDir === undefined) return undefined
  return { gitDir, commonDir: path.resolve(gitDir, (await readGuarded(path.join(gitDir, 'commondir'))).trim()) }
}

export type Head = {
  /** Null where HEAD is detached. */
  readonly branch: string | null
  /** Undefined before the first commit, and for what is no commit's name. Not checked to exist. */
  readonly commit: string | undefined
}

export const readHead = async ({ gitDir, commonDir }: GitPlace): Promise<Head> => {
  const text = (await readGuarded(path.join(gitDir, 'HEAD'))).trim()
  const branch = /^ref: refs\/heads\/(\S+)$/.exec(text)?.[1]
  if (branch === undefined) return { branch: null, commit: COMMIT.test(text) ? text : undefined }
  const commit = await readRef(commonDir, `refs/heads/${branch}`)
  return { branch, commit: commit !== undefined && COMMIT.test(commit) ? commit : undefined }
}

/** What the file of a ref says: a commit's name, or whatever is there. */
export const readRef = async (commonDir: string, ref: string): Promise<string | undefined> => {
  if (ref.includes('..')) return undefined
  const loose = (await readGuarded(path.join(commonDir, ref))).trim()
  if (loose) return loose
  return (await packedRefs(commonDir)).get(ref)
}

const packedRefs = async (commonDir: string): Promise<ReadonlyMap<string, string>> =>
  new Map(
    [...(await readGuarded(path.join(commonDir, 'packed-refs'))).matchAll(/^([0-9a-f]{40,64}) (refs\/\S+)$/gm)].map(
      ([, commit = '', ref = '']) => [ref, commit],
    ),
  )

/** The refs below a prefix such as `refs/heads/`, with the commits that they name; the first twenty thousand. */
export const readRefs = async (commonDir: string, prefix: string): Promise<ReadonlyMap<string, string>> => {
  const refs = new Map([...(await packedRefs(commonDir))].filter(([ref]) => ref.startsWith(prefix)))
  const directories = [path.join(commonDir, prefix)]
  for (let directory = directories.pop(); directory !== undefined; directory = directories.pop())
    for (const entry of await readdir(directory, { withFileTypes: true }).catch(() => [])) {
      const place = path.join(directory, entry.name)
      if (entry.isDirectory()) directories.push(place)
      const commit = entry.isFile() ? (await readGuarded(place)).trim() : ''
      if (COMMIT.test(commit)) refs.set(path.relative(commonDir, place), commit)
      if (refs.size > MAX_REFS) return refs
    }
  return refs
}

/** The commits of the stash, the newest first. */
export const readStashes = async (commonDir: string): Promise<readonly string[]> =>
  (await readGuarded(path.join(commonDir, 'logs', 'refs', 'stash')))
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '')
    .filter((commit) => COMMIT.test(commit))
    .toReversed()

/**
 * The URL of `origin`, or of the only remote, as it is written there: it may hold a password. The configuration is read as data:
 * git is given its text, and includes nothing from it.
 *
 * @param cwd - a directory that git may start in
 */
export const readRemoteUrl = async (commonDir: string, cwd: string): Promise<string | undefined> => {
  const told = await git(['config', '--file', '-', '--no-includes', '--null', '--get-regexp', '^remote\\..*\\.url$'], {
    cwd,
    input: await readGuarded(path.join(commonDir, 'config')),
    okCodes: [0, 1, 3, 128],
  })
  const urls = new Map(
    told.stdout
      .toString('utf8')
      .split('\0')
      .filter((entry) => entry.includes('\n'))
      .map((entry): [string, string] => [entry.slice(0, entry.indexOf('\n')), entry.slice(entry.indexOf('\n') + 1)]),
  )
  return urls.get('remote.origin.url') ?? (urls.size === 1 ? [...urls.values()][0] : undefined)
}
