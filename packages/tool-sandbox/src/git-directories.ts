// Which directories outside a working directory its git needs.

import { readFileSync } from 'node:fs'
import path from 'node:path'
import { isWithin, resolveLinks } from './paths.ts'

export type GitDirectories = {
  /** The git directory of a linked worktree, which lies in another repository. */
  readonly writable: readonly string[]
  /** Object directories that the repository borrows from. */
  readonly readOnly: readonly string[]
}

/**
 * Returns the directories that `.git` of a working directory refers to, of those below `repositories`.
 *
 * An agent can rewrite every file that is read here. Call it before any agent has run in the directory, and record the result.
 */
export const findGitDirectories = (directory: string, repositories: readonly string[]): GitDirectories => {
  const isKnown = (found: string): boolean => repositories.some((root) => root !== found && isWithin(root, found))
  const linked = read(path.join(directory, '.git'))?.match(/^gitdir: (.+)$/m)?.[1]
  const own = linked === undefined ? path.join(directory, '.git') : path.resolve(directory, linked)
  const shared = read(path.join(own, 'commondir'))
  const common = shared === undefined ? own : path.resolve(own, shared.trim())
  const objects = path.join(common, 'objects')
  const borrowed = (read(path.join(objects, 'info', 'alternates')) ?? '')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => path.resolve(objects, line))
  return {
    writable:
      linked === undefined ? [] : [...new Set([common, own].map((found) => resolveLinks(found)))].filter(isKnown),
    readOnly: [...new Set(borrowed.map((found) => resolveLinks(found)))].filter(isKnown),
  }
}

/** Returns undefined when the file does not exist or is a directory. */
const read = (file: string): string | undefined => {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return undefined
  }
}
