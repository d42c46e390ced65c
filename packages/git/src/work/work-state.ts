// What a working directory holds that is nowhere else: looked at before it is reset or deleted. As with the diff, nothing
// of the directory's own configuration has a part in it.

import { execFile } from 'node:child_process'
import path from 'node:path'
import { promisify } from 'node:util'
import { countChanges } from '../changes/count-changes.ts'
import type { WithIndex } from '../changes/index-cache.ts'
import { EMPTY_TREE } from '../clones/scratch.ts'
import { type GitOptions, PATH } from '../command/run.ts'
import { type GitPlace, readHead, readRefs, readStashes } from '../untrusted/git-directory.ts'
import { type OwnRepository, openOwnRepository } from '../untrusted/isolated-repository.ts'
import { type Counts, type ReadGitlinks, readSubmodules, type Submodule, type Superproject } from './submodules.ts'

export type WorkState = {
  /** Null where HEAD is detached. */
  readonly branch: string | null
  /** Null before the first commit. */
  readonly head: string | null
  /** Commits that the base has not, and commits of the base that this has not; null without a base or a commit. */
  readonly ahead: number | null
  readonly behind: number | null
  /** Files that were changed, added or deleted since the last commit, in submodules too; ignored ones do not count. */
  readonly dirty: number
  /** Commits that are on no branch of the remote, in submodules too. Of a checkout of its own those of all its branches. */
  readonly unpushed: number
  /** Of a linked worktree those in its submodules alone: its own are the repository's, and stay. */
  readonly stashes: number
  /** Of the directory; null where measuring took too long. */
  readonly diskBytes: number | null
}

export type WorkStateRequest = {
  readonly directory: string
  /** Where its commits are. */
  readonly place: GitPlace
  /** Objects that are read beside the checkout's own: those of the mirror, which are trusted. */
  readonly objectDirs: readonly string[]
  /** The tips of what the remote has; undefined: as far as the checkout knows. */
  readonly remoteTips?: readonly string[]
  /** Commits that the remote has beside those. */
  readonly alsoPushed?: readonly string[]
  readonly gitlinks?: ReadGitlinks
  /** The commit that ahead and behind are counted from. */
  readonly base?: string
  /** What is lost with the directory although its HEAD does not lead there. */
  readonly alsoLost?: readonly string[]
  /** An index for this directory, as `KeptIndexes` lends it; default: one for this look alone. */
  readonly withIndex?: WithIndex
  readonly signal?: AbortSignal
}

const run = promisify(execFile)
const TIMEOUT_MS = 60_000
const DISK_TIMEOUT_MS = 10_000
const diskBytes = async (directory: string, signal: AbortSignal | undefined): Promise<number | null> => {
  const options = { env: { PATH, LC_ALL: 'C' }, timeout: DISK_TIMEOUT_MS, ...(signal ? { signal } : {}) }
  // Says 1 where a file went away meanwhile; the sum is there all the same.
  const told = await run('du', ['-sk', '--', directory], options).catch((error: unknown) =>
    error instanceof Error && 'stdout' in error ? { stdout: String(error.stdout) } : { stdout: '' },
  )
  const kibibytes = /^(\d+)\s/.exec(told.stdout)?.[1]
  return kibibytes === undefined ? null : Number(kibibytes) * 1_024
}

const countUnpushed = async (
  own: OwnRepository,
  lost: readonly string[],
  tips: readonly string[],
  options: GitOptions,
): Promise<number> => {
  const pushed = new Set(tips)
  if (lost.every((commit) => pushed.has(commit))) return 0
  // A ref may name what is not there, or no commit: such a one loses nothing more.
  const { stdout } = await own.git(['rev-list', '--count', '--ignore-missing', '--stdin'], {
    ...options,
    input: [...lost, ...tips.map((tip) => `^${tip}`)].map((line) => `${line}\n`).join(''),
  })
  return Number(stdout.toString('utf8'))
}

/** All but the disk. */
const readWork = async (request: WorkStateRequest): Promise<Omit<WorkState, 'diskBytes'>> => {
  const { place } = request
  const directory = path.resolve(request.directory)
  const { branch, commit: head } = await readHead(place)
  const isLinked = place.gitDir !== place.commonDir
  const stashes = isLinked ? [] : await readStashes(place.commonDir)
  const branches = isLinked ? [] : [...(await readRefs(place.commonDir, 'refs/heads/')).values()]
  const known = request.remoteTips ?? [...(await readRefs(place.commonDir, 'refs/remotes/')).values()]
  const tips = [...known, ...(request.alsoPushed ?? [])]
  const own = await openOwnRepository({
    objectDirs: [...request.objectDirs, path.join(place.commonDir, 'objects')],
    workTree: directory,
    isSha256: (head ?? tips[0])?.length === 64,
    ...(head === undefined ? {} : { head }),
  })
  const options: GitOptions = { timeoutMs: TIMEOUT_MS, ...(request.signal ? { signal: request.signal } : {}) }
  try {
    const lost = [...(head ? [head] : []), ...branches, ...(request.alsoLost ?? [])]
    const withIndex: WithIndex =
      request.withIndex ?? ((_, work) => work({ file: path.join(own.directory, 'index'), commit: undefined }))
    const against = head ?? EMPTY_TREE
    const superproject = { own, directory, place, commit: against, published: request.base, gitlinks: request.gitlinks }
    const [dirty, unpushed, sides, submodules] = await Promise.all([
      withIndex(against, (index) => countChanges(own, directory, against, index, options)),
      countUnpushed(own, lost, tips, options),
      head !== undefined && request.base !== undefined ? compare(own, request.base, head, options) : undefined,
      head === undefined ? [] : readSubmodules(superproject, readWork, options),
    ])
    const inAll = (count: (one: Counts) => number) => submodules.reduce((sum, one) => sum + count(one), 0)
    return {
      branch,
      head: head ?? null,
      ahead: sides?.ahead ?? null,
      behind: sides?.behind ?? null,
      dirty: dirty + inAll((one) => one.dirty),
      unpushed: unpushed + inAll((one) => one.unpushed),
      stashes: stashes.length + inAll((one) => one.stashes),
    }
  } finally {
    await own.close()
  }
}

/**
 * What is done in the submodules of a directory, each as a checkout of its own.
 *
 * @throws SwitchyardError as `workState`
 */
export const submodulesOf = (superproject: Superproject, options: GitOptions): Promise<readonly Submodule[]> =>
  readSubmodules(superproject, readWork, options)

/**
 * @throws SwitchyardError `repository_unavailable` where its objects are elsewhere; `call_timeout`
 */
export const workState = async (request: WorkStateRequest): Promise<WorkState> => {
  const [work, disk] = await Promise.all([
    readWork(request),
    diskBytes(path.resolve(request.directory), request.signal),
  ])
  return { ...work, diskBytes: disk }
}

const compare = async (own: OwnRepository, base: string, head: string, options: GitOptions) => {
  if (base === head) return { ahead: 0, behind: 0 }
  const { stdout } = await own.git(['rev-list', '--count', '--left-right', `${base}...${head}`, '--'], options)
  const [behind = 0, ahead = 0] = stdout.toString('utf8').trim().split('\t').map(Number)
  return { ahead, behind }
}

const counted = (number: number, one: string, many: string): readonly string[] =>
  number === 0 ? [] : [`${number} ${number === 1 ? one : many}`]

/** In words, what would be lost with a working directory; null where nothing would be. */
export const describeLoss = ({ dirty, unpushed, stashes }: WorkState): string | null => {
  const parts = [
    ...counted(dirty, 'uncommitted change', 'uncommitted changes'),
    ...counted(unpushed, 'commit that the remote has not', 'commits that the remote has not'),
    ...counted(stashes, 'stash', 'stashes'),
  ]
  return parts.length === 0 ? null : parts.join(', ')
}
