// Finds git checkouts on disk, and says which repository one belongs to.

import { readdir, realpath } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { parseRepositoryUrl, type RepositoryIdentity } from '../identity/identity.ts'
import { findGitDirectory, type GitDirectory, isRealDirectory } from '../untrusted/git-directory.ts'
import { readUntrustedFile } from '../untrusted/read-untrusted-file.ts'
import { readRemoteUrl } from '../untrusted/remote-url.ts'

export type FoundCheckout = {
  /** The real path. */
  readonly directory: string
  /** The repository of `origin`, or of the only remote. Null when there is no remote, or its URL is not valid. */
  readonly origin: RepositoryIdentity | null
  /** For a linked worktree: the checkout or the bare repository that it belongs to. */
  readonly linkedTo: string | null
}

/** Directories that can be huge and contain no clones that a person works in. */
const SKIPPED = new Set(['node_modules', 'vendor', 'target', 'dist', '__pycache__'])
const DEFAULT_DEPTH = 4
const MAX_DIRECTORIES = 20_000
const MAX_MS = 10_000

const isBare = async (directory: string): Promise<boolean> =>
  /^ref: /.test(await readUntrustedFile(path.join(directory, 'HEAD'))) &&
  (await isRealDirectory(path.join(directory, 'objects')))

const originOf = async ({ commonDir }: GitDirectory): Promise<RepositoryIdentity | null> => {
  const url = await readRemoteUrl(commonDir, tmpdir())
  try {
    return url === undefined ? null : parseRepositoryUrl(url)
  } catch {
    return null
  }
}

/**
 * Returns which repository a directory is a checkout of. Nothing in its configuration has any effect, and the result
 * contains no credentials.
 *
 * @returns null when the directory is neither the top directory of a checkout nor a bare repository
 */
export const readCheckout = async (given: string): Promise<FoundCheckout | null> => {
  const directory = await realpath(given).catch(() => undefined)
  if (directory === undefined) return null
  const gitDirectory =
    (await findGitDirectory(directory)) ??
    ((await isBare(directory)) ? { gitDir: directory, commonDir: directory } : undefined)
  if (gitDirectory === undefined) return null
  const { gitDir, commonDir } = gitDirectory
  const main = path.basename(commonDir) === '.git' ? path.dirname(commonDir) : commonDir
  return { directory, origin: await originOf(gitDirectory), linkedTo: gitDir === commonDir ? null : main }
}

export type FoundClones = {
  readonly clones: readonly FoundCheckout[]
  /** True when the limits stopped the search before its end. */
  readonly isTruncated: boolean
}

/**
 * Finds the git checkouts below a directory, but not those inside another checkout. Reads at most 20,000 directories in
 * at most 10 seconds, and follows no links.
 *
 * @param options.depth - how many levels to search; default 4
 */
export const findClones = async (root: string, options: { readonly depth?: number } = {}): Promise<FoundClones> => {
  const deadline = Date.now() + MAX_MS
  const clones: FoundCheckout[] = []
  const queue: { readonly directory: string; readonly depth: number }[] = [{ directory: path.resolve(root), depth: 0 }]
  for (let at = 0; at < queue.length; at += 1) {
    const { directory, depth } = queue[at] ?? { directory: '', depth: 0 }
    if (at > MAX_DIRECTORIES || Date.now() > deadline) return { clones, isTruncated: true }
    const entries = await readdir(directory, { withFileTypes: true }).catch(() => [])
    const found = entries.some((entry) => entry.name === '.git') ? await readCheckout(directory) : null
    if (found) clones.push(found)
    else if (depth < (options.depth ?? DEFAULT_DEPTH))
      for (const entry of entries)
        if (entry.isDirectory() && !entry.name.startsWith('.') && !SKIPPED.has(entry.name))
          queue.push({ directory: path.join(directory, entry.name), depth: depth + 1 })
  }
  return { clones, isTruncated: false }
}
