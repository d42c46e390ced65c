// The branches of tasks' clones, as refs of the mirror, where no agent can write. A branch is registered when a clone is
// created on it, so no two clones have it, and stores the clone's commits when that is removed.

import { toGitError } from '../command/errors.ts'
import { type GitOptions, git, gitLine } from '../command/run.ts'
import type { IsolatedRepository } from '../untrusted/isolated-repository.ts'
import { SWITCHYARD_REFS } from '../untrusted/switchyard-refs.ts'
import type { Mirror } from './mirror.ts'

const PREFIX = `${SWITCHYARD_REFS}/branches/`
const WAIT_FOR_LOCKS = ['core.filesRefLockTimeout=5000', 'core.packedRefsTimeout=10000']

export type FoundBranch = {
  /** The registered commit. */
  readonly registered: string | undefined
  /** The tip of the remote branch of this name. */
  readonly remote: string | undefined
}

export class BranchRegistry {
  readonly #mirror: Mirror

  constructor(mirror: Mirror) {
    this.#mirror = mirror
  }

  #options(signal?: AbortSignal): GitOptions {
    return { cwd: this.#mirror.directory, config: WAIT_FOR_LOCKS, ...(signal ? { signal } : {}) }
  }

  async find(branch: string, signal?: AbortSignal): Promise<FoundBranch> {
    if (!this.#mirror.exists) return { registered: undefined, remote: undefined }
    const refs = { registered: `${PREFIX}${branch}`, remote: `refs/heads/${branch}` }
    const output = await gitLine(
      ['for-each-ref', '--format=%(objectname) %(refname)', refs.registered, refs.remote],
      this.#options(signal),
    )
    const tipOf = (ref: string) =>
      output
        .split('\n')
        .find((line) => line.slice(line.indexOf(' ') + 1) === ref)
        ?.split(' ')[0]
    return { registered: tipOf(refs.registered), remote: tipOf(refs.remote) }
  }

  /**
   * Registers a branch atomically: one of several concurrent callers succeeds.
   *
   * @returns `exists` when the branch is registered, or one whose name contains this name as a directory, or the reverse
   */
  async create(branch: string, commit: string, signal?: AbortSignal): Promise<'created' | 'exists'> {
    const { code, stderr } = await git(
      ['update-ref', '--end-of-options', `${PREFIX}${branch}`, commit, '0'.repeat(commit.length)],
      { ...this.#options(signal), okCodes: [0, 128] },
    )
    if (code === 0) return 'created'
    if (/already exists|' exists; cannot create|cannot create '/.test(stderr)) return 'exists'
    throw toGitError('update-ref', stderr)
  }

  /** Copies the commits of a branch from an isolated repository. */
  async store(isolated: IsolatedRepository, branch: string, commit: string, signal?: AbortSignal): Promise<void> {
    await this.#mirror.storeCommit(isolated, commit, `branches/${branch}`, signal)
  }

  async delete(branch: string): Promise<void> {
    if (!this.#mirror.exists) return
    await git(['update-ref', '-d', '--end-of-options', `${PREFIX}${branch}`], this.#options())
  }

  /** Returns all registered branches, each with its commit. */
  async entries(): Promise<ReadonlyMap<string, string>> {
    if (!this.#mirror.exists) return new Map()
    const output = await gitLine(['for-each-ref', '--format=%(objectname) %(refname)', PREFIX], this.#options())
    return new Map(
      output
        .split('\n')
        .filter(Boolean)
        .map((line) => [line.slice(line.indexOf(' ') + 1 + PREFIX.length), line.slice(0, line.indexOf(' '))]),
    )
  }
}
