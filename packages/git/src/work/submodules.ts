// What is done in the submodules of a working directory. A superproject's commit only names a commit of each; what was changed and
// committed inside goes with the directory, and with what git keeps of it beside the worktree. Nothing of a submodule's own
// configuration has a part in it.

import { readdir, realpath } from 'node:fs/promises'
import path from 'node:path'
import { isBelow, isSwitchyardError } from '@switchyard/contracts'
import { findUntracked } from '../changes/untracked.ts'
import { inspectGitDir } from '../clones/shared-clone.ts'
import { type GitOptions, MAX_TEXT_BYTES } from '../command/run.ts'
import { findGitPlace, type GitPlace } from '../untrusted/git-directory.ts'
import type { OwnRepository } from '../untrusted/isolated-repository.ts'

export type Counts = {
  /** Files that were changed, added or deleted. */
  readonly dirty: number
  /** Commits that its remote has not, as far as it knows. */
  readonly unpushed: number
  readonly stashes: number
}

export type Submodule = Counts & {
  /** Below the working directory. */
  readonly path: string
  /** Undefined where its repository cannot be believed: then all its files count as added. */
  readonly place: GitPlace | undefined
}

/** How one is looked at: as a checkout of its own, of which the remote has `alsoPushed` too. */
export type Look = (request: {
  readonly directory: string
  readonly place: GitPlace
  readonly objectDirs: readonly string[]
  readonly alsoPushed: readonly string[]
  readonly signal?: AbortSignal
}) => Promise<Counts>

export type Superproject = {
  readonly own: OwnRepository
  readonly directory: string
  readonly place: GitPlace | undefined
  /** The commit or tree that names its submodules. */
  readonly commit: string
  /** A commit of its remote: what that names, the submodules' remotes have. */
  readonly published?: string | undefined
  /** Default: each is read. */
  readonly gitlinks?: ReadGitlinks | undefined
}

/** The paths of submodules that a commit or tree names, each with the commit that is named there. */
export type ReadGitlinks = (
  own: OwnRepository,
  commit: string,
  options: GitOptions,
) => Promise<ReadonlyMap<string, string>>

const readGitlinks: ReadGitlinks = async (own, commit, options) => {
  const told = await own.git(['ls-tree', '-r', '-z', '--full-tree', commit], { ...options, maxBytes: MAX_TEXT_BYTES })
  return new Map(
    told.stdout
      .toString('utf8')
      .split('\0')
      .filter((entry) => entry.startsWith('160000 '))
      .map((entry) => [entry.slice(entry.indexOf('\t') + 1), entry.split(/[ \t]/, 3)[2] ?? '']),
  )
}

/** Reads each commit once: for one look at many directories whose commits are in one repository. */
export const gitlinksOnce = (): ReadGitlinks => {
  const known = new Map<string, ReturnType<ReadGitlinks>>()
  return async (own, commit, options) => {
    // What failed for another directory is for that one to tell.
    const found = await known.get(commit)?.catch(() => undefined)
    if (found) return found
    const reading = readGitlinks(own, commit, options)
    known.set(commit, reading)
    return await reading
  }
}

/** Something is in it, and no link on the way leads elsewhere. */
const isFilled = async (directory: string, name: string): Promise<boolean> => {
  const place = path.join(directory, name)
  const real = await realpath(place).catch(() => undefined)
  return real === path.join(await realpath(directory), name) && (await readdir(place).catch(() => [])).length > 0
}

/** Where git keeps it: in the submodule itself, or in what belongs to its superproject. Elsewhere is somebody else's. */
const placeOf = async (directory: string, superproject: GitPlace | undefined): Promise<GitPlace | undefined> => {
  const place = await findGitPlace(directory)
  if (place === undefined || place.gitDir !== place.commonDir || place.gitDir.includes('\n')) return undefined
  const real = (given: string) => realpath(given).catch(() => undefined)
  const gitDir = await real(place.gitDir)
  const homes = [directory, ...(superproject ? [superproject.gitDir, superproject.commonDir] : [])]
  const modules = homes.map((home, at) => (at === 0 ? home : path.join(home, 'modules')))
  const found = await Promise.all(modules.map(real))
  if (gitDir === undefined || !found.some((home) => home !== undefined && isBelow(home, gitDir))) return undefined
  const isPlain = await inspectGitDir(gitDir, directory).then(
    () => true,
    () => false,
  )
  return isPlain ? { gitDir, commonDir: gitDir } : undefined
}

/** One that is damaged. */
const passOver = (error: unknown): undefined => {
  if (!isSwitchyardError(error) || error.code === 'call_timeout') throw error
}

/**
 * Those in which something is; nested ones count with the one that they are in.
 *
 * @throws SwitchyardError `repository_unavailable`, `call_timeout`
 */
export const readSubmodules = async (
  { own, directory, place, commit, published, gitlinks = readGitlinks }: Superproject,
  look: Look,
  options: GitOptions,
): Promise<readonly Submodule[]> => {
  const links = await gitlinks(own, commit, options)
  if (links.size === 0) return []
  const before = published === commit ? links : published && (await gitlinks(own, published, options))
  const found: Submodule[] = []
  for (const name of links.keys()) {
    if (!(await isFilled(directory, name))) continue
    const inside = path.join(directory, name)
    const its = await placeOf(inside, place)
    const pushed = before ? before.get(name) : undefined
    const counts =
      its &&
      (await look({
        directory: inside,
        place: its,
        objectDirs: [],
        alsoPushed: pushed === undefined ? [] : [pushed],
        ...(options.signal ? { signal: options.signal } : {}),
      }).catch(passOver))
    if (counts === undefined) {
      const { names, isTruncated } = await findUntracked(own, directory, options, [`${name}/`])
      const dirty = names.length + (isTruncated ? 1 : 0)
      found.push({ path: name, place: undefined, dirty, unpushed: 0, stashes: 0 })
    } else {
      const { dirty, unpushed, stashes } = counts
      found.push({ path: name, place: its, dirty, unpushed, stashes })
    }
  }
  return found
}

export const hasWork = ({ dirty, unpushed, stashes }: Counts): boolean => dirty + unpushed + stashes > 0
