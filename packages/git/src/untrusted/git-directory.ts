// Finds the git directory of a working directory by reading files. git itself would read the configuration
// there, and run the commands that it names.

import { lstat } from 'node:fs/promises'
import path from 'node:path'
import { readUntrustedFile } from './read-untrusted-file.ts'

/** Where git stores the data of a working directory. */
export type GitDirectory = {
  /** Belongs to this working directory alone: HEAD and the index. */
  readonly gitDir: string
  /** Belongs to the repository: objects and refs. Differs from `gitDir` for a linked worktree. */
  readonly commonDir: string
}

/** Matches a full commit id, SHA-1 or SHA-256. */
export const COMMIT = /^[0-9a-f]{40}(?:[0-9a-f]{24})?$/

/** Returns true for a directory, and false for a link to one: an agent decides where a link leads. */
export const isRealDirectory = async (directory: string): Promise<boolean> =>
  (await lstat(directory).catch(() => undefined))?.isDirectory() ?? false

/** Returns the directory that a `.git` file names, or undefined when it is not such a file. */
const readGitFile = async (dotGit: string): Promise<string | undefined> => {
  const target = /^gitdir:\s*(\S.*)$/.exec((await readUntrustedFile(dotGit)).trim())?.[1]
  return target === undefined ? undefined : path.resolve(path.dirname(dotGit), target)
}

/**
 * Returns the git directory that a working directory claims to have.
 *
 * Use the result only for display: a `.git` file can name any repository of this machine. To read commits,
 * use `findOwnGitDirectory` or the worktree records.
 *
 * @returns undefined when there is no git directory, or when `.git` is a link or has its commits elsewhere.
 *   The directory that a linked worktree names may not exist.
 */
export const findGitDirectory = async (directory: string): Promise<GitDirectory | undefined> => {
  const dotGit = path.join(directory, '.git')
  if (await isRealDirectory(dotGit)) {
    const hasCommonDir = (await lstat(path.join(dotGit, 'commondir')).catch(() => undefined)) !== undefined
    return hasCommonDir ? undefined : { gitDir: dotGit, commonDir: dotGit }
  }
  const gitDir = await readGitFile(dotGit)
  if (gitDir === undefined) return undefined
  return { gitDir, commonDir: path.resolve(gitDir, (await readUntrustedFile(path.join(gitDir, 'commondir'))).trim()) }
}
