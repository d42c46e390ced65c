// Reads the work in the submodules of a working directory. A commit of the superproject only names a commit of each
// submodule; changes and commits inside are lost with the directory and its git directory. Nothing that a submodule
// configures has any effect.

import { readdir, realpath } from 'node:fs/promises'
import path from 'node:path'
import { isBelow, isSwitchyardError } from '@switchyard/contracts'
import { findUntracked } from '../changes/untracked.ts'
import { type GitOptions, MAX_TEXT_BYTES } from '../command/run.ts'
import { requireNoAlternates } from '../untrusted/borrowed-objects.ts'
import { findGitDirectory, type GitDirectory } from '../untrusted/git-directory.ts'
import { inspectGitDirectory } from '../untrusted/inspect-git-directory.ts'
import type { IsolatedRepository } from '../untrusted/isolated-repository.ts'

export type WorkCounts = {
  /** Changed, added and deleted files. */
  readonly dirty: number
  /** Commits that the remote does not have, as far as the repository knows. */
  readonly unpushed: number
  readonly stashes: number
}

export type Submodule = WorkCounts & {
  /** Relative to the working directory. */
  readonly path: string
  /** Undefined when the repository cannot be trusted. Then all its files count as added. */
  readonly gitDirectory: GitDirectory | undefined
}

/** Counts the work in a submodule, as in a checkout with its own repository. */
export type CountWork = (request: {
  readonly directory: string
  readonly gitDirectory: GitDirectory
  readonly objectDirs: readonly string[]
  /** More commits that the remote has. */
  readonly alsoPushed: readonly string[]
  readonly signal?: AbortSignal
}) => Promise<WorkCounts>

export type Superproject = {
  readonly isolated: IsolatedRepository
  readonly directory: string
  readonly gitDirectory: GitDirectory | undefined
  /** The commit or tree that names the submodules. */
  readonly commit: string
  /** A commit that the remote has. The submodules' remotes have the commits that it names. */
  readonly published?: string | undefined
  /** Default: reads every commit. */
  readonly readGitlinks?: ReadGitlinks | undefined
}

/** Returns the paths of the submodules that a commit or tree names, each with the commit that is named there. */
export type ReadGitlinks = (
  isolated: IsolatedRepository,
  commit: string,
  options: GitOptions,
) => Promise<ReadonlyMap<string, string>>

const readGitlinks: ReadGitlinks = async (isolated, commit, options) => {
  const { stdout } = await isolated.git(['ls-tree', '-r', '-z', '--full-tree', commit], {
    ...options,
    maxBytes: MAX_TEXT_BYTES,
  })
  return new Map(
    stdout
      .toString('utf8')
      .split('\0')
      .filter((entry) => entry.startsWith('160000 '))
      .map((entry) => [entry.slice(entry.indexOf('\t') + 1), entry.split(/[ \t]/, 3)[2] ?? '']),
  )
}

/** Returns a function that reads each commit once, for many directories of one repository. */
export const createGitlinkCache = (): ReadGitlinks => {
  const cache = new Map<string, ReturnType<ReadGitlinks>>()
  return async (isolated, commit, options) => {
    // A failure belongs to the directory that it happened in; this one reads the commit again.
    const cached = await cache.get(commit)?.catch(() => undefined)
    if (cached) return cached
    const reading = readGitlinks(isolated, commit, options)
    cache.set(commit, reading)
    return await reading
  }
}

/** Returns true when the submodule has files, and no link leads out of the directory. */
const isPopulated = async (directory: string, name: string): Promise<boolean> => {
  const target = path.join(directory, name)
  const real = await realpath(target).catch(() => undefined)
  return real === path.join(await realpath(directory), name) && (await readdir(target).catch(() => [])).length > 0
}

/**
 * Returns the git directory of a submodule, if it is in the submodule itself or in `modules` of its superproject. Any
 * other location may belong to somebody else.
 */
const findSubmoduleGitDirectory = async (
  directory: string,
  superproject: GitDirectory | undefined,
): Promise<GitDirectory | undefined> => {
  const claimed = await findGitDirectory(directory)
  if (claimed === undefined || claimed.gitDir !== claimed.commonDir || claimed.gitDir.includes('\n')) return undefined
  const real = (target: string) => realpath(target).catch(() => undefined)
  const gitDir = await real(claimed.gitDir)
  const modules = superproject ? [superproject.gitDir, superproject.commonDir] : []
  const allowed = await Promise.all([directory, ...modules.map((owner) => path.join(owner, 'modules'))].map(real))
  if (gitDir === undefined || !allowed.some((parent) => parent !== undefined && isBelow(parent, gitDir)))
    return undefined
  const isIntact = await inspectGitDirectory(gitDir, directory)
    .then(() => requireNoAlternates(path.join(gitDir, 'objects')))
    .then(
      () => true,
      () => false,
    )
  return isIntact ? { gitDir, commonDir: gitDir } : undefined
}

/** Ignores the failure of a damaged submodule. */
const ignoreDamage = (error: unknown): undefined => {
  if (!isSwitchyardError(error) || error.code === 'call_timeout') throw error
}

/**
 * Returns the populated submodules of a directory. Nested ones are counted in the submodule that contains them.
 *
 * @throws SwitchyardError `repository_unavailable`, `call_timeout`
 */
export const readSubmodules = async (
  { isolated, directory, gitDirectory, commit, published, readGitlinks: read = readGitlinks }: Superproject,
  countWork: CountWork,
  options: GitOptions,
): Promise<readonly Submodule[]> => {
  const links = await read(isolated, commit, options)
  if (links.size === 0) return []
  const publishedLinks = published === commit ? links : published && (await read(isolated, published, options))
  const found: Submodule[] = []
  for (const name of links.keys()) {
    if (!(await isPopulated(directory, name))) continue
    const submoduleDirectory = path.join(directory, name)
    const submoduleGitDirectory = await findSubmoduleGitDirectory(submoduleDirectory, gitDirectory)
    const pushed = publishedLinks ? publishedLinks.get(name) : undefined
    const counts =
      submoduleGitDirectory &&
      (await countWork({
        directory: submoduleDirectory,
        gitDirectory: submoduleGitDirectory,
        objectDirs: [],
        alsoPushed: pushed === undefined ? [] : [pushed],
        ...(options.signal ? { signal: options.signal } : {}),
      }).catch(ignoreDamage))
    if (counts === undefined) {
      const { names, isTruncated } = await findUntracked(isolated, directory, options, [`${name}/`])
      const dirty = names.length + (isTruncated ? 1 : 0)
      found.push({ path: name, gitDirectory: undefined, dirty, unpushed: 0, stashes: 0 })
    } else {
      const { dirty, unpushed, stashes } = counts
      found.push({ path: name, gitDirectory: submoduleGitDirectory, dirty, unpushed, stashes })
    }
  }
  return found
}

export const hasWork = ({ dirty, unpushed, stashes }: WorkCounts): boolean => dirty + unpushed + stashes > 0
