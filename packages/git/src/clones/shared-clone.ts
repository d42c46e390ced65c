// The clone whose linked worktrees are a project's base checkout and its sandboxes. Agents read and write it; the worker
// uses its objects and refs only through an isolated repository. It is created with the first worktree.

import { existsSync } from 'node:fs'
import { mkdir, rename, rm } from 'node:fs/promises'
import path from 'node:path'
import { fromFileError } from '@switchyard/contracts'
import { removeLockFiles } from '../command/lock-files.ts'
import { git } from '../command/run.ts'
import { damagedRepository, inspectClone } from '../untrusted/inspect-git-directory.ts'
import { type IsolatedRepository, openIsolatedRepository, STORE_PACKS } from '../untrusted/isolated-repository.ts'
import { FETCH_OPTIONS } from './fetch-options.ts'

const LOCAL_FETCH_TIMEOUT_MS = 10 * 60_000
/** An agent's git holds a lock file for milliseconds. One of this age was left by a process that was killed. */
const STALE_LOCK_MS = 60_000
const WAIT_FOR_LOCKS = ['core.filesRefLockTimeout=5000', 'core.packedRefsTimeout=10000', ...STORE_PACKS]

/** `exists`: the branch exists, or one whose name contains this name as a directory, or the reverse. */
type BranchCreation = 'created' | 'exists' | 'no-such-commit'

export class SharedClone {
  readonly directory: string
  readonly #mirror: string
  readonly #displayUrl: string

  /** @param mirror - the directory of the mirror, which is the only source of fetches */
  constructor(directory: string, mirror: string, displayUrl: string) {
    this.directory = path.resolve(directory)
    this.#mirror = mirror
    this.#displayUrl = displayUrl
  }

  get gitDirectory(): string {
    return path.join(this.directory, '.git')
  }

  /** True once a worktree was created. */
  get exists(): boolean {
    return existsSync(this.directory)
  }

  /** Creates the clone if it does not exist, and fetches from the mirror. Requires the lock of the clone. */
  async update(signal: AbortSignal): Promise<void> {
    if (!this.exists) await this.#create(signal)
    await this.#withIsolated(async (isolated) => {
      // Fetches tags but does not prune them: agents may have created some.
      const fetch = () =>
        isolated.git(['fetch', ...FETCH_OPTIONS, '--', this.#mirror, '+refs/heads/*:refs/remotes/origin/*'], {
          config: WAIT_FOR_LOCKS,
          timeoutMs: LOCAL_FETCH_TIMEOUT_MS,
          signal,
        })
      await fetch().catch(async (error: unknown) => {
        if (!(await removeLockFiles(this.gitDirectory, error, STALE_LOCK_MS))) throw error
        await fetch()
      })
    })
  }

  async #create(signal: AbortSignal): Promise<void> {
    const fresh = `${this.directory}.new`
    await rm(fresh, { recursive: true, force: true })
    await mkdir(fresh, { recursive: true }).catch((error: unknown) => {
      throw fromFileError(error, fresh)
    })
    const at = { cwd: fresh, signal }
    // HEAD names a branch that is never created, so the main working tree stays empty.
    await git(['init', '--quiet', '--template=', '--initial-branch=switchyard-none', '.'], at)
    // Only for people and tools that read the configuration; the worker fetches from the mirror.
    await git(['config', 'remote.origin.url', this.#displayUrl], at)
    await git(['config', 'remote.origin.fetch', '+refs/heads/*:refs/remotes/origin/*'], at)
    await rename(fresh, this.directory)
  }

  /** Creates a branch atomically: one of several concurrent callers succeeds. */
  async createBranch(branch: string, commit: string, signal?: AbortSignal): Promise<BranchCreation> {
    const { code, stderr } = await this.#withIsolated((isolated) =>
      isolated.git(['update-ref', '--end-of-options', `refs/heads/${branch}`, commit, '0'.repeat(commit.length)], {
        config: WAIT_FOR_LOCKS,
        okCodes: [0, 128],
        ...(signal ? { signal } : {}),
      }),
    )
    if (code === 0) return 'created'
    if (/already exists|' exists; cannot create|cannot create '/.test(stderr)) return 'exists'
    if (/nonexistent object/.test(stderr)) return 'no-such-commit'
    throw damagedRepository(this.directory, stderr.trim().split('\n')[0]?.slice(0, 200) ?? 'cannot create a branch')
  }

  /** Deletes a branch if it exists. */
  async deleteBranch(branch: string): Promise<void> {
    await this.#withIsolated((isolated) =>
      isolated.git(['update-ref', '-d', '--end-of-options', `refs/heads/${branch}`], { config: WAIT_FOR_LOCKS }),
    )
  }

  /** Returns the commit of a ref, or undefined when there is no such ref. */
  async resolve(ref: string, signal?: AbortSignal): Promise<string | undefined> {
    const { code, stdout } = await this.#withIsolated((isolated) =>
      isolated.git(['rev-parse', '--quiet', '--verify', '--end-of-options', `${ref}^{commit}`], {
        okCodes: [0, 1, 128],
        ...(signal ? { signal } : {}),
      }),
    )
    return code === 0 ? stdout.toString('utf8').trim() : undefined
  }

  /** Fetches one commit that no branch reaches, such as the commit of a tag. */
  async fetchCommit(commit: string, signal?: AbortSignal): Promise<void> {
    await this.#withIsolated((isolated) =>
      isolated.git(
        ['fetch', '--quiet', '--no-tags', '--no-write-fetch-head', '--no-auto-maintenance', '--', this.#mirror, commit],
        {
          config: WAIT_FOR_LOCKS,
          timeoutMs: LOCAL_FETCH_TIMEOUT_MS,
          ...(signal ? { signal } : {}),
        },
      ),
    )
  }

  async #withIsolated<T>(work: (isolated: IsolatedRepository) => Promise<T>): Promise<T> {
    await inspectClone(this.directory)
    const isolated = await openIsolatedRepository({ linkTo: this.gitDirectory })
    try {
      return await work(isolated)
    } finally {
      await isolated.close()
    }
  }
}
