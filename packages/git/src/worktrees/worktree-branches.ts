// Finds and creates the branches of worktrees and clones, and keeps two of them from using the same one.

import { createHash } from 'node:crypto'
import { lstat, readdir } from 'node:fs/promises'
import path from 'node:path'
import { isSwitchyardError, SwitchyardError } from '@switchyard/contracts'
import type { BranchRegistry } from '../clones/branch-registry.ts'
import type { Mirror } from '../clones/mirror.ts'
import type { SharedClone } from '../clones/shared-clone.ts'
import { openIsolatedRepository } from '../untrusted/isolated-repository.ts'
import { readUntrustedFile } from '../untrusted/read-untrusted-file.ts'
import type { WorktreeRecord, WorktreeRecords } from './worktree-records.ts'

export type ExistingBranch = {
  readonly commit: string
  /** Where the branch is: registered for a clone, in the shared clone, or only on the remote. */
  readonly source: 'registry' | 'shared' | 'remote'
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

export type WorktreeBranchesOptions = {
  readonly mirror: Mirror
  readonly shared: SharedClone
  readonly registry: BranchRegistry
  readonly records: WorktreeRecords
}

export class WorktreeBranches {
  readonly #mirror: Mirror
  readonly #shared: SharedClone
  readonly #registry: BranchRegistry
  readonly #records: WorktreeRecords

  constructor({ mirror, shared, registry, records }: WorktreeBranchesOptions) {
    this.#mirror = mirror
    this.#shared = shared
    this.#registry = registry
    this.#records = records
  }

  async find(
    branch: string,
    kind: WorktreeRecord['kind'],
    signal: AbortSignal | undefined,
  ): Promise<ExistingBranch | undefined> {
    const [{ registered, remote }, local] = await Promise.all([
      this.#registry.find(branch, signal),
      this.#shared.exists ? this.#resolveShared(branch, kind, signal) : undefined,
    ])
    if (registered) return { commit: registered, source: 'registry' }
    if (local) return { commit: local, source: 'shared' }
    return remote ? { commit: remote, source: 'remote' } : undefined
  }

  async #resolveShared(
    branch: string,
    kind: WorktreeRecord['kind'],
    signal: AbortSignal | undefined,
  ): Promise<string | undefined> {
    return await this.#shared.resolve(`refs/heads/${branch}`, signal).catch((error: unknown) => {
      // A task's clone does not need the shared clone, which an agent in a sandbox may have damaged.
      if (kind === 'clone' && isSwitchyardError(error, 'repository_unavailable')) return undefined
      throw error
    })
  }

  /** Returns the tip of a branch where worktrees of the record's kind have it. */
  async tipOf({ kind, branch }: WorktreeRecord, signal: AbortSignal | undefined): Promise<string | undefined> {
    return kind === 'clone'
      ? (await this.#registry.find(branch, signal)).registered
      : await this.#shared.resolve(`refs/heads/${branch}`, signal)
  }

  /** Creates the branch of a record unless it exists. */
  async create(
    { kind, branch }: WorktreeRecord,
    commit: string,
    signal: AbortSignal | undefined,
  ): Promise<'created' | 'exists'> {
    if (kind === 'clone') return await this.#registry.create(branch, commit, signal)
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
   * Creates the branch of a record that was just created. Removes the record if the branch belongs to another one.
   *
   * @throws SwitchyardError `branch_in_use`
   */
  async createFor(record: WorktreeRecord, commit: string, signal: AbortSignal | undefined): Promise<void> {
    const { directory, branch } = record
    try {
      if ((await this.create(record, commit, signal)) === 'created') return
      // A concurrent caller that found our record may have created the branch to finish this very worktree.
      await this.requireUnused(branch, directory)
      if ((await this.tipOf(record, signal)) !== commit)
        throw branchInUse(branch, 'already exists, or its name begins with the name of another branch')
    } catch (error) {
      await this.#records.delete(worktreeId(directory))
      throw error
    }
  }

  /** Moves an unused branch to where worktrees of the record's kind have it. */
  async continueAs(record: WorktreeRecord, existing: ExistingBranch, signal: AbortSignal | undefined): Promise<void> {
    const { branch } = record
    if (record.kind !== 'clone') {
      if (existing.source !== 'shared') await this.createFor(record, existing.commit, signal)
      if (existing.source === 'registry') await this.#registry.delete(branch)
    } else if (existing.source === 'remote') await this.createFor(record, existing.commit, signal)
    else if (existing.source === 'shared') {
      await this.#storeFrom(path.join(this.#shared.gitDirectory, 'objects'), branch, existing.commit, signal)
      await this.#shared.deleteBranch(branch)
    }
  }

  /**
   * Stores the commits of a clone's branch before the clone is removed, so that a later task can continue the branch.
   *
   * @param tip - undefined when the agent deleted the branch
   * @throws SwitchyardError `disk_full`, `call_timeout`
   */
  async storeTip({ branch }: WorktreeRecord, objectDir: string, tip: string | undefined): Promise<void> {
    const { registered } = await this.#registry.find(branch)
    if (tip !== undefined && tip !== registered)
      await this.#storeFrom(objectDir, branch, tip, undefined).catch((error: unknown) => {
        // The agent damaged its repository; nothing of it can be continued.
        if (!isSwitchyardError(error, 'repository_unavailable')) throw error
      })
    const stored = (await this.#registry.find(branch)).registered
    if (stored !== undefined && (await this.#mirror.isPublished(stored))) await this.#registry.delete(branch)
  }

  async #storeFrom(objectDir: string, branch: string, commit: string, signal: AbortSignal | undefined): Promise<void> {
    const isolated = await openIsolatedRepository({
      objectDirs: [this.#mirror.objectDirectory, objectDir],
      isSha256: commit.length === 64,
    })
    try {
      await this.#registry.store(isolated, branch, commit, signal)
    } finally {
      await isolated.close()
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
