// Looks at git checkouts that are not ours: whose clone one is, and where else there are clones.

import { readdir, realpath } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { parseRepositoryUrl, type RepositoryIdentity } from '../identity/identity.ts'
import { findGitPlace, type GitPlace, isRealDirectory, readRemoteUrl } from '../untrusted/git-directory.ts'
import { readGuarded } from '../untrusted/read-guarded.ts'

export type FoundCheckout = {
  /** Its real path. */
  readonly directory: string
  /** Of its remote: `origin`, or its only one. Null where it has none, or one that is no address of a repository. */
  readonly origin: RepositoryIdentity | null
  /** For a linked worktree: the directory of the checkout, or of the bare repository, that it belongs to. */
  readonly linkedTo: string | null
}

/** Directories that hold no clones of a person's, and may hold very many others. */
const SKIPPED = new Set(['node_modules', 'vendor', 'target', 'dist', '__pycache__'])
const DEFAULT_DEPTH = 4
const MAX_DIRECTORIES = 20_000
const MAX_MS = 10_000

/** A bare repository has no `.git`; it is one itself. */
const isBare = async (directory: string): Promise<boolean> =>
  /^ref: /.test(await readGuarded(path.join(directory, 'HEAD'))) &&
  (await isRealDirectory(path.join(directory, 'objects')))

const originOf = async ({ commonDir }: GitPlace): Promise<RepositoryIdentity | null> => {
  const url = await readRemoteUrl(commonDir, tmpdir())
  try {
    return url === undefined ? null : parseRepositoryUrl(url)
  } catch {
    return null
  }
}

/**
 * What a directory is a checkout of. Nothing of its configuration takes effect, and no credential in it comes back.
 *
 * @returns null where it is no top directory of a checkout and no bare repository
 */
export const readCheckout = async (given: string): Promise<FoundCheckout | null> => {
  const directory = await realpath(given).catch(() => undefined)
  if (directory === undefined) return null
  const place =
    (await findGitPlace(directory)) ??
    ((await isBare(directory)) ? { gitDir: directory, commonDir: directory } : undefined)
  if (place === undefined) return null
  const isLinked = place.gitDir !== place.commonDir
  const main = path.basename(place.commonDir) === '.git' ? path.dirname(place.commonDir) : place.commonDir
  return { directory, origin: await originOf(place), linkedTo: isLinked ? main : null }
}

export type FoundClones = {
  readonly clones: readonly FoundCheckout[]
  /** There is more than was looked at within the bounds. */
  readonly isTruncated: boolean
}

/**
 * The git checkouts below a directory, to a depth of 4 unless told otherwise; not what is inside of one. Looks at 20 000
 * directories at most, for 10 seconds at most, and follows no link.
 */
export const findClones = async (root: string, options: { readonly depth?: number } = {}): Promise<FoundClones> => {
  const until = Date.now() + MAX_MS
  const clones: FoundCheckout[] = []
  const open: { readonly place: string; readonly depth: number }[] = [{ place: path.resolve(root), depth: 0 }]
  for (let at = 0; at < open.length; at += 1) {
    const { place, depth } = open[at] ?? { place: '', depth: 0 }
    if (at > MAX_DIRECTORIES || Date.now() > until) return { clones, isTruncated: true }
    const entries = await readdir(place, { withFileTypes: true }).catch(() => [])
    const found = entries.some((entry) => entry.name === '.git') ? await readCheckout(place) : null
    if (found) clones.push(found)
    else if (depth < (options.depth ?? DEFAULT_DEPTH))
      for (const entry of entries)
        if (entry.isDirectory() && !entry.name.startsWith('.') && !SKIPPED.has(entry.name))
          open.push({ place: path.join(place, entry.name), depth: depth + 1 })
  }
  return { clones, isTruncated: false }
}
