// Finds and creates the branches of worktrees, and keeps two worktrees from using the same one.

import { createHash } from 'node:crypto'
import { lstat, readdir } from 'node:fs/promises'
import path from 'node:path'
import { SwitchyardError } from '@switchyard/contracts'
import type { Mirror } from '../clones/mirror.ts'
import type { SharedClone } from '../clones/shared-clone.ts'
import { readUntrustedFile } from '../untrusted/read-untrusted-file.ts'
import type { WorktreeRecords } from './worktree-records.ts'

export type ExistingBranch = {
  readonly commit: string
  /** False when only the remote has the branch. */
  readonly isLocal: boolean
}

/** Returns the id of the worktree in a directory. Two repositories may use the same id. */
export const worktreeId = (directory: string): string => {
  const name = path
    .basename(directory)
    .replaceAll(/[^A-Za-z0-9_-]+/g, '-')
    .slice(0, 60)
  return `${name}-${createHash('sha256').update(directory).digest('hex').slice(0, 12)}`
}

export const branchInUse = (branch: string, why: string): SwitchyardError =>
  new SwitchyardError('branch_in_use', `branch "${branch}" ${why}`)

export class WorktreeBranches {
  readonly #mirror: Mirror
  readonly #shared: SharedClone
  readonly #records: WorktreeRecords

  constructor(mirror: Mirror, shared: SharedClone, records: WorktreeRecords) {
    this.#mirror = mirror
    this.#shared = shared
    this.#records = records
  }

  async find(branch: string, signal: AbortSignal | undefined): Promise<ExistingBranch | undefined> {
    const local = await this.#shared.resolve(`refs/heads/${branch}`, signal)
    if (local) return { commit: local, isLocal: true }
    const remote = await this.#mirror.branchTip(branch, signal)
    return remote ? { commit: remote, isLocal: false } : undefined
  }

  /** Creates a branch unless it exists. */
  async create(branch: string, commit: string, signal: AbortSignal | undefined): Promise<'created' | 'exists'> {
    let result = await this.#shared.createBranch(branch, commit, signal)
    if (result === 'no-such-commit') {
      await this.#shared.fetchCommit(commit, signal)
      result = await this.#shared.createBranch(branch, commit, signal)
    }
    if (result === 'no-such-commit')
      throw new SwitchyardError('repository_unavailable', `the shared clone does not have the commit ${commit}`)
    return result
  }

  /**
   * Creates the branch of a worktree whose record was just created. Removes the record if the branch belongs to
   * another worktree.
   *
   * @throws SwitchyardError `branch_in_use`
   */
  async createFor(directory: string, branch: string, commit: string, signal: AbortSignal | undefined): Promise<void> {
    try {
      if ((await this.create(branch, commit, signal)) === 'created') return
      // A concurrent caller that found our record may have created the branch to finish this very worktree.
      await this.requireUnused(branch, directory)
      if ((await this.#shared.resolve(`refs/heads/${branch}`, signal)) !== commit)
        throw branchInUse(branch, 'already exists, or its name begins with the name of another branch')
    } catch (error) {
      await this.#records.delete(worktreeId(directory))
      throw error
    }
  }

  /**
   * Checks that no other worktree uses the branch: neither one that we recorded, nor one that an agent created or switched.
   *
   * @param directory - the worktree that may use it
   * @throws SwitchyardError `branch_in_use`
   */
  async requireUnused(branch: string, directory: string): Promise<void> {
    const others = (await this.#records.all()).filter((record) => record.directory !== directory)
    if (others.some((record) => record.branch === branch)) throw branchInUse(branch, 'belongs to another worktree')
    const entries = path.join(this.#shared.gitDirectory, 'worktrees')
    for (const id of await readdir(entries).catch(() => [])) {
      if (id === worktreeId(directory)) continue
      const read = async (name: string) => (await readUntrustedFile(path.join(entries, id, name))).trim()
      const [head, gitFile] = await Promise.all([read('HEAD'), read('gitdir')])
      if (head === `ref: refs/heads/${branch}` && (await lstat(gitFile).catch(() => undefined)))
        throw branchInUse(branch, 'is checked out in another worktree')
    }
  }
}
