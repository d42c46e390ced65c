// Clones and worktrees. A private mirror is all that talks to the network; the agent sees a shared clone that is
// brought up to date from the mirror, and its task's worktree of that. Submodules and LFS objects are not fetched.

import { existsSync } from 'node:fs'
import { mkdir, rename, rm, stat } from 'node:fs/promises'
import path from 'node:path'
import { isSwitchyardError, SwitchyardError } from '@switchyard/contracts'
import { isValidBase, requireBranch } from './branch.ts'
import { Fetches } from './fetches.ts'
import { fromFileError } from './file-errors.ts'
import type { RepositoryIdentity } from './identity.ts'
import { type GitOptions, git, gitLine } from './run.ts'
import type { Checkout } from './scratch.ts'
import { openUntrusted, originOf, repairConfiguration, type UntrustedGit } from './untrusted.ts'

export type RepositoriesOptions = {
  /** Where the mirrors are: for the worker alone. */
  readonly mirrorsDir: string
  /** Where the shared clones are: the agent reads and writes here. */
  readonly sharedDir: string
  /** Runs `work` while nobody else holds the lock of that name, in any process. */
  readonly lock: <T>(name: string, work: () => Promise<T>) => Promise<T>
  /** What git and ssh need to reach the network as the caller does: HOME, SSH_AUTH_SOCK, proxies. */
  readonly environment?: Readonly<Record<string, string>>
  /** ms for a clone or a fetch; default 10 minutes. */
  readonly fetchTimeoutMs?: number
}

export type WorktreeRequest = {
  readonly directory: string
  readonly branch: string
  /** Branch, tag or commit; default: the remote's default branch. */
  readonly base?: string
  readonly signal?: AbortSignal
}

type Options = { readonly signal?: AbortSignal }

const FETCH_TIMEOUT_MS = 10 * 60_000
/** Git itself waits for a lock file of a ref for no time at all. */
const REF_LOCKS = ['core.filesRefLockTimeout=5000', 'core.packedRefsTimeout=10000']
const FETCH_FLAGS = [
  '--quiet',
  '--prune',
  '--no-recurse-submodules',
  '--no-auto-maintenance',
  '--force',
  '--no-write-fetch-head',
]
const NETWORK = [
  'HOME',
  'SSH_AUTH_SOCK',
  'SSL_CERT_FILE',
  'SSL_CERT_DIR',
  'GIT_SSL_CAINFO',
  'HTTPS_PROXY',
  'HTTP_PROXY',
  'NO_PROXY',
  'https_proxy',
  'http_proxy',
  'no_proxy',
]

export class Repositories {
  readonly #options: RepositoriesOptions
  readonly #network: Readonly<Record<string, string>>
  readonly #fetches = new Fetches()

  constructor(options: RepositoriesOptions) {
    this.#options = options
    const given = options.environment ?? {}
    this.#network = Object.fromEntries(Object.entries(given).filter(([name]) => NETWORK.includes(name)))
  }

  /** The shared clone of a repository. */
  sharedDirectory(identity: RepositoryIdentity): string {
    return path.join(this.#options.sharedDir, identity.slug)
  }

  /** Where the objects of a project's worktrees are, for `diffAgainst`. */
  objectDirectory(identity: RepositoryIdentity): string {
    return path.join(this.sharedDirectory(identity), '.git', 'objects')
  }

  /** One at a time: a fetch looks at every worktree's HEAD, and fails on one that is just being made. */
  #inShared<T>(identity: RepositoryIdentity, work: () => Promise<T>): Promise<T> {
    return this.#options.lock(`shared:${identity.key}`, work)
  }

  #mirror(identity: RepositoryIdentity): string {
    return path.join(this.#options.mirrorsDir, `${identity.slug}.git`)
  }

  /**
   * Brings mirror and shared clone up to what the remote has now. Callers at the same time share one fetch, but only
   * one that began after they asked.
   *
   * @throws SwitchyardError `repository_*`, `disk_full`, `directory_unwritable`, `call_timeout`
   */
  async fetch(identity: RepositoryIdentity, options: Options = {}): Promise<void> {
    await this.#fetches.share(identity.key, options.signal, async (signal) => {
      await this.#options.lock(`mirror:${identity.key}`, () => this.#updateMirror(identity, signal))
      await this.#inShared(identity, () => this.#updateShared(identity, signal))
    })
  }

  async #updateMirror(identity: RepositoryIdentity, signal: AbortSignal): Promise<void> {
    const mirror = this.#mirror(identity)
    const options: GitOptions = {
      signal,
      env: this.#network,
      timeoutMs: this.#options.fetchTimeoutMs ?? FETCH_TIMEOUT_MS,
    }
    if (identity.kind === 'path') await requireRepository(identity.fetchUrl)
    const isNew = !existsSync(mirror)
    const target = isNew ? `${mirror}.new` : mirror
    if (isNew) {
      // What a crash left half made is never used.
      await rm(target, { recursive: true, force: true })
      await mkdir(target, { recursive: true }).catch((error: unknown) => {
        throw fromFileError(error, target)
      })
      await git(['init', '--quiet', '--bare', '--template=', '.'], { cwd: target, signal })
    }
    const [head] = await Promise.all([
      this.#remoteHead(identity, options),
      git(
        ['fetch', ...FETCH_FLAGS, '--', identity.fetchUrl, '+refs/heads/*:refs/heads/*', '+refs/tags/*:refs/tags/*'],
        {
          ...options,
          cwd: target,
        },
      ),
    ])
    if (head) await git(['symbolic-ref', 'HEAD', head], { cwd: target, signal })
    if (isNew) await rename(target, mirror)
  }

  /** `refs/heads/<default branch>` of the remote; undefined for a detached or empty one. */
  async #remoteHead(identity: RepositoryIdentity, options: GitOptions): Promise<string | undefined> {
    const told = await gitLine(['ls-remote', '--symref', '--', identity.fetchUrl, 'HEAD'], options)
    return /^ref: (refs\/heads\/\S+)\tHEAD$/m.exec(told)?.[1]
  }

  async #updateShared(identity: RepositoryIdentity, signal: AbortSignal): Promise<void> {
    const shared = this.sharedDirectory(identity)
    if (!existsSync(shared)) {
      const fresh = `${shared}.new`
      await rm(fresh, { recursive: true, force: true })
      await mkdir(fresh, { recursive: true }).catch((error: unknown) => {
        throw fromFileError(error, fresh)
      })
      await git(['init', '--quiet', '--template=', '--initial-branch=switchyard/none', '.'], { cwd: fresh, signal })
      for (const [name, value] of originOf(identity.displayUrl))
        await git(['config', name, value], { cwd: fresh, signal })
      await rename(fresh, shared)
    }
    const update = async () => {
      await repairConfiguration(shared, identity.displayUrl, signal)
      const inShared = await openUntrusted(shared, signal)
      await inShared(
        [
          'fetch',
          ...FETCH_FLAGS,
          '--',
          this.#mirror(identity),
          '+refs/heads/*:refs/remotes/origin/*',
          '+refs/tags/*:refs/tags/*',
        ],
        { config: REF_LOCKS, timeoutMs: FETCH_TIMEOUT_MS },
      )
    }
    await update().catch((error: unknown) => {
      throw isSwitchyardError(error, 'repository_not_found')
        ? new SwitchyardError('repository_unavailable', `the shared clone ${shared} is damaged: ${error.message}`, {
            hint: 'Move that directory away; the next task makes it again from the mirror.',
            cause: error,
          })
        : error
    })
  }

  /**
   * Makes a linked worktree of the shared clone on a branch. Safe to repeat after a crash: the same directory on the same
   * branch is finished, with its work kept.
   *
   * A branch that exists is continued where no other worktree has it checked out.
   *
   * @throws SwitchyardError `branch_not_found`, `branch_in_use`, `invalid_branch`, `repository_empty`, and those of git.
   */
  async addWorktree(identity: RepositoryIdentity, request: WorktreeRequest): Promise<Checkout> {
    requireBranch(request.branch)
    const shared = this.sharedDirectory(identity)
    const base = await this.#resolveBase(identity, request)
    const directory = path.resolve(request.directory)
    return await this.#inShared(identity, async () => {
      const inShared = await openUntrusted(shared, request.signal)
      const known = await listWorktrees(inShared)
      const own = known.find((worktree) => worktree.directory === directory)
      if (own?.branch === request.branch && !own.locked && existsSync(path.join(directory, '.git')))
        return { directory, branch: request.branch, baseCommit: base }
      if (known.some((worktree) => worktree.branch === request.branch && worktree.directory !== directory))
        throw new SwitchyardError('branch_in_use', `branch "${request.branch}" is checked out in another worktree`)
      // A directory that is no complete worktree is what a crash left of this very request.
      await prepareDirectory(directory)
      const exists = await hasRef(inShared, `refs/heads/${request.branch}`)
      const flags = exists ? [] : ['-b', request.branch, '--no-track']
      const start = exists ? request.branch : base
      await inShared(['worktree', 'add', '--quiet', '--force', ...flags, '--', directory, start], {
        config: [...REF_LOCKS, 'extensions.worktreeConfig=false'],
        timeoutMs: FETCH_TIMEOUT_MS,
      })
      return { directory, branch: request.branch, baseCommit: base }
    })
  }

  async #resolveBase(identity: RepositoryIdentity, { base, signal }: WorktreeRequest): Promise<string> {
    const mirror = this.#mirror(identity)
    const options = { cwd: mirror, ...(signal ? { signal } : {}) }
    if (base !== undefined && !isValidBase(base))
      throw new SwitchyardError('invalid_branch', `"${base}" names no commit`)
    const tried =
      base === undefined
        ? ['HEAD']
        : [`refs/heads/${base}`, `refs/tags/${base}`, ...(/^[0-9a-f]{7,64}$/.test(base) ? [base] : [])]
    for (const name of tried) {
      const commit = await gitLine(['rev-parse', '--quiet', '--verify', '--end-of-options', `${name}^{commit}`], {
        ...options,
        okCodes: [0, 1, 128],
      })
      if (commit !== '') return commit
    }
    const branches = await gitLine(['for-each-ref', '--count=5', '--format=%(refname:short)', 'refs/heads'], options)
    if (branches === '') throw new SwitchyardError('repository_empty', `${identity.displayUrl} has no commit yet`)
    if (base === undefined)
      throw new SwitchyardError('branch_not_found', `${identity.displayUrl} has no default branch`, {
        hint: `Give base_branch; it has ${branches.split('\n').join(', ')}.`,
      })
    throw new SwitchyardError('branch_not_found', `"${base}" is no branch, tag or commit of ${identity.displayUrl}`)
  }

  /**
   * Deletes a worktree: its directory and what the clone knows of it. The branch stays.
   *
   * @throws SwitchyardError `path_outside_workspace` for anything that is not a linked worktree of this clone below `root`.
   */
  async removeWorktree(identity: RepositoryIdentity, given: string, root: string): Promise<void> {
    const directory = path.resolve(given)
    const inside = path.relative(path.resolve(root), directory)
    const shared = this.sharedDirectory(identity)
    const isBelow = inside !== '' && !inside.startsWith('..') && !path.isAbsolute(inside)
    await this.#inShared(identity, async () => {
      const inShared = await openUntrusted(shared)
      const known = await listWorktrees(inShared)
      if (!isBelow || !known.slice(1).some((worktree) => worktree.directory === directory))
        throw new SwitchyardError(
          'path_outside_workspace',
          `${directory} is no worktree of ${identity.displayUrl} made here`,
        )
      await rm(directory, { recursive: true, force: true })
      await inShared(['worktree', 'prune', '--expire=now'], { config: REF_LOCKS })
    })
  }
}

type Worktree = { readonly directory: string; readonly branch: string | undefined; readonly locked: boolean }

const parseWorktrees = (text: string): readonly Worktree[] =>
  text
    .split('\0\0')
    .map((block) => block.split('\0').filter((line) => line !== ''))
    .filter((lines) => lines.length > 0)
    .map((lines) => {
      const value = (name: string) => lines.find((line) => line.startsWith(`${name} `))?.slice(name.length + 1)
      return {
        directory: value('worktree') ?? '',
        branch: value('branch')?.replace(/^refs\/heads\//, ''),
        // `git worktree add` locks while it populates: a lock that is still there was left by a crash.
        locked: lines.some((line) => line === 'locked' || line.startsWith('locked ')),
      }
    })

const listWorktrees = async (inShared: UntrustedGit): Promise<readonly Worktree[]> =>
  parseWorktrees((await inShared(['worktree', 'list', '--porcelain', '-z'])).stdout.toString('utf8'))

const hasRef = async (inShared: UntrustedGit, ref: string): Promise<boolean> =>
  (await inShared(['show-ref', '--verify', '--quiet', '--', ref], { okCodes: [0, 1] })).code === 0

const prepareDirectory = async (directory: string): Promise<void> => {
  try {
    await mkdir(path.dirname(directory), { recursive: true })
    await rm(directory, { recursive: true, force: true })
  } catch (error) {
    throw fromFileError(error, directory)
  }
}

const requireRepository = async (place: string): Promise<void> => {
  const found = await stat(place).catch(() => undefined)
  if (!found?.isDirectory()) throw new SwitchyardError('repository_not_found', `there is no directory ${place}`)
}
