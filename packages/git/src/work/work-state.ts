// Counts the work in a working directory that exists nowhere else, before the directory is reset or removed. Nothing
// that the directory configures has any effect.

import { execFile } from 'node:child_process'
import path from 'node:path'
import { promisify } from 'node:util'
import { countChanges } from '../changes/count-changes.ts'
import type { WithIndex } from '../changes/index-cache.ts'
import { EMPTY_TREE } from '../clones/scratch.ts'
import { type GitOptions, PATH } from '../command/run.ts'
import type { GitDirectory } from '../untrusted/git-directory.ts'
import { type IsolatedRepository, openIsolatedRepository } from '../untrusted/isolated-repository.ts'
import { readHead, readRefs, readStashes } from '../untrusted/refs.ts'
import { type ReadGitlinks, readSubmodules, type Submodule, type Superproject, type WorkCounts } from './submodules.ts'

export type WorkState = {
  /** Null when HEAD is detached. */
  readonly branch: string | null
  /** Null before the first commit. */
  readonly head: string | null
  /** How many commits HEAD has that the base does not have. Null without a base or a commit. */
  readonly ahead: number | null
  /** How many commits the base has that HEAD does not have. Null without a base or a commit. */
  readonly behind: number | null
  /** Files changed, added or deleted since the last commit, also in submodules. Ignored files do not count. */
  readonly dirty: number
  /**
   * Commits that are on no branch of the remote, also in submodules. For a checkout with its own repository, those of
   * all its branches.
   */
  readonly unpushed: number
  /** For a linked worktree, only the stashes of its submodules: its own belong to the repository and stay. */
  readonly stashes: number
  /** Size of the directory; null when measuring takes too long. */
  readonly diskBytes: number | null
}

export type WorkStateRequest = {
  readonly directory: string
  readonly gitDirectory: GitDirectory
  /** More object directories to read from: those of the mirror, which are trusted. */
  readonly objectDirs: readonly string[]
  /** The tips of the remote's branches and tags; default: those that the checkout knows. */
  readonly remoteTips?: readonly string[]
  /** More commits that the remote has. */
  readonly alsoPushed?: readonly string[]
  readonly readGitlinks?: ReadGitlinks
  /** The commit to count ahead and behind from. */
  readonly base?: string
  /** Commits that are lost with the directory although HEAD does not reach them. */
  readonly alsoLost?: readonly string[]
  /** A cached index of this directory; default: a new one. */
  readonly withIndex?: WithIndex
  readonly signal?: AbortSignal
}

const run = promisify(execFile)
const TIMEOUT_MS = 60_000
const DISK_TIMEOUT_MS = 10_000

const measureDisk = async (directory: string, signal: AbortSignal | undefined): Promise<number | null> => {
  const options = { env: { PATH, LC_ALL: 'C' }, timeout: DISK_TIMEOUT_MS, ...(signal ? { signal } : {}) }
  // Exits with 1 when a file disappears meanwhile, but still prints the sum.
  const { stdout } = await run('du', ['-sk', '--', directory], options).catch((error: unknown) =>
    error instanceof Error && 'stdout' in error ? { stdout: String(error.stdout) } : { stdout: '' },
  )
  const kibibytes = /^(\d+)\s/.exec(stdout)?.[1]
  return kibibytes === undefined ? null : Number(kibibytes) * 1_024
}

const countUnpushed = async (
  isolated: IsolatedRepository,
  commits: readonly string[],
  remoteTips: readonly string[],
  options: GitOptions,
): Promise<number> => {
  const pushed = new Set(remoteTips)
  if (commits.every((commit) => pushed.has(commit))) return 0
  // Missing commits are ignored: a damaged ref has nothing to lose.
  const { stdout } = await isolated.git(['rev-list', '--count', '--ignore-missing', '--stdin'], {
    ...options,
    input: [...commits, ...remoteTips.map((tip) => `^${tip}`)].map((line) => `${line}\n`).join(''),
  })
  return Number(stdout.toString('utf8'))
}

const readWork = async (request: WorkStateRequest): Promise<Omit<WorkState, 'diskBytes'>> => {
  const { gitDirectory } = request
  const { commonDir } = gitDirectory
  const directory = path.resolve(request.directory)
  const { branch, commit: head } = await readHead(gitDirectory)
  const isLinked = gitDirectory.gitDir !== commonDir
  const stashes = isLinked ? [] : await readStashes(commonDir)
  const branches = isLinked ? [] : [...(await readRefs(commonDir, 'refs/heads/')).values()]
  const remoteTips = request.remoteTips ?? [...(await readRefs(commonDir, 'refs/remotes/')).values()]
  const pushed = [...remoteTips, ...(request.alsoPushed ?? [])]
  const isolated = await openIsolatedRepository({
    objectDirs: [...request.objectDirs, path.join(commonDir, 'objects')],
    workTree: directory,
    isSha256: (head ?? pushed[0])?.length === 64,
    ...(head === undefined ? {} : { head }),
  })
  const options: GitOptions = { timeoutMs: TIMEOUT_MS, ...(request.signal ? { signal: request.signal } : {}) }
  try {
    const commits = [...(head ? [head] : []), ...branches, ...(request.alsoLost ?? [])]
    const withIndex: WithIndex =
      request.withIndex ?? ((_, work) => work({ file: path.join(isolated.directory, 'index'), commit: undefined }))
    const commit = head ?? EMPTY_TREE
    const { base, readGitlinks } = request
    const superproject = { isolated, directory, gitDirectory, commit, published: base, readGitlinks }
    const [dirty, unpushed, distance, submodules] = await Promise.all([
      withIndex(commit, (index) => countChanges(isolated, directory, commit, index, options)),
      countUnpushed(isolated, commits, pushed, options),
      head !== undefined && base !== undefined ? countDistance(isolated, base, head, options) : undefined,
      head === undefined ? [] : readSubmodules(superproject, readWork, options),
    ])
    const sum = (count: (one: WorkCounts) => number) => submodules.reduce((total, one) => total + count(one), 0)
    return {
      branch,
      head: head ?? null,
      ahead: distance?.ahead ?? null,
      behind: distance?.behind ?? null,
      dirty: dirty + sum((one) => one.dirty),
      unpushed: unpushed + sum((one) => one.unpushed),
      stashes: stashes.length + sum((one) => one.stashes),
    }
  } finally {
    await isolated.close()
  }
}

/**
 * Counts the work in each submodule of a directory.
 *
 * @throws SwitchyardError as `workState`
 */
export const submodulesOf = (superproject: Superproject, options: GitOptions): Promise<readonly Submodule[]> =>
  readSubmodules(superproject, readWork, options)

/**
 * Counts the work in a directory that exists nowhere else.
 *
 * @throws SwitchyardError `repository_unavailable` when objects are missing; `call_timeout`
 */
export const workState = async (request: WorkStateRequest): Promise<WorkState> => {
  const [work, diskBytes] = await Promise.all([
    readWork(request),
    measureDisk(path.resolve(request.directory), request.signal),
  ])
  return { ...work, diskBytes }
}

const countDistance = async (isolated: IsolatedRepository, base: string, head: string, options: GitOptions) => {
  if (base === head) return { ahead: 0, behind: 0 }
  const { stdout } = await isolated.git(['rev-list', '--count', '--left-right', `${base}...${head}`, '--'], options)
  const [behind = 0, ahead = 0] = stdout.toString('utf8').trim().split('\t').map(Number)
  return { ahead, behind }
}

const counted = (number: number, one: string, many: string): readonly string[] =>
  number === 0 ? [] : [`${number} ${number === 1 ? one : many}`]

/** Describes what would be lost with a working directory; null when nothing would be. */
export const describeLoss = ({ dirty, unpushed, stashes }: WorkState): string | null => {
  const parts = [
    ...counted(dirty, 'uncommitted change', 'uncommitted changes'),
    ...counted(unpushed, 'unpushed commit', 'unpushed commits'),
    ...counted(stashes, 'stash', 'stashes'),
  ]
  return parts.length === 0 ? null : parts.join(', ')
}
