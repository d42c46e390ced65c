// The entry point of the worker: clones and worktrees of repositories, and the work in them. A private mirror talks to the
// network. A task gets a clone of its own, which borrows the remote's objects from a store that only the worker writes; a
// project's base checkout and its sandboxes are worktrees of one shared clone. Submodules and LFS objects are not fetched.

import { rm } from 'node:fs/promises'
import path from 'node:path'
import { SwitchyardError } from '@switchyard/contracts'
import type { Checkout, CheckoutRequest } from './clones/checkout.ts'
import { Clones, type ClonesOptions } from './clones/clones.ts'
import { createStandaloneClone } from './clones/standalone-clone.ts'
import { requireBranch } from './identity/branch.ts'
import type { RepositoryIdentity } from './identity/identity.ts'
import { requireNoLinks } from './untrusted/borrowed-objects.ts'
import { findGitDirectory, isRealDirectory } from './untrusted/git-directory.ts'
import { readHead } from './untrusted/refs.ts'
import { RepositoryWork } from './work/repository-work.ts'
import {
  fetchRepository,
  listMirroredRepositories,
  type MirroredRepository,
  openWorktrees,
  worktreeDirectories,
} from './worktrees/open-worktrees.ts'

export class Repositories {
  readonly #clones: Clones
  /** Counts, saves, publishes and imports the work in worktrees and checkouts. */
  readonly work: RepositoryWork

  constructor(options: ClonesOptions) {
    this.#clones = new Clones(options)
    this.work = new RepositoryWork(this.#clones)
  }

  /** Returns the directory of the shared clone. */
  sharedDirectory(identity: RepositoryIdentity): string {
    return this.#clones.shared(identity).directory
  }

  /**
   * Returns the object directories that have the commits of a working directory, the most trusted first: those of the
   * mirror, and those of the shared clone or of the directory's own repository.
   */
  async objectDirectories(identity: RepositoryIdentity, directory: string): Promise<readonly string[]> {
    const mirror = this.#clones.mirror(identity).objectDirectory
    const known = await openWorktrees(this.#clones, identity).gitDirectoryOf(directory)
    if (known && known.gitDir !== known.commonDir) return [mirror, path.join(known.commonDir, 'objects')]
    const own = path.join(path.resolve(directory), '.git', 'objects')
    // Links could lead to any repository that the worker can read.
    const isSafe = await requireNoLinks(own).then(
      () => true,
      () => false,
    )
    return isSafe ? [mirror, own] : [mirror]
  }

  /** Returns the repositories that have a mirror, each with its worktrees. */
  async mirrored(): Promise<readonly MirroredRepository[]> {
    return await listMirroredRepositories(this.#clones.mirrorsDir)
  }

  /**
   * Updates the mirror from the remote, and the object store and the shared clone from the mirror. Concurrent callers share one fetch, provided that it starts
   * after they called.
   *
   * @throws SwitchyardError `repository_*`, `invalid_project`, `disk_full`, `directory_unwritable`, `call_timeout`
   */
  async fetch(identity: RepositoryIdentity, options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    await fetchRepository(this.#clones, identity, options)
  }

  /** Returns the tips of the remote's branches and tags, as of the last fetch. */
  async remoteTips(identity: RepositoryIdentity): Promise<readonly string[]> {
    return (await this.#clones.mirror(identity).tips()) ?? []
  }

  /**
   * Returns the name of the remote's default branch, as of the last fetch.
   *
   * @throws SwitchyardError `repository_empty`, `branch_not_found`
   */
  async defaultBranch(identity: RepositoryIdentity): Promise<string> {
    return await this.#clones.mirror(identity).defaultBranch()
  }

  /**
   * Adds a linked worktree of the shared clone on a branch, for a base checkout or a sandbox. Call `fetch` first: the
   * files come from the mirror.
   *
   * Safe to repeat after a crash. The same directory on the same branch is completed; a complete one is returned as it
   * is, with all work in it, whatever branch the agent has checked out. A directory that is not one of our worktrees is
   * never changed. A branch that another worktree or clone left, or that the remote has, is refused unless `reuse` is set;
   * then the worktree continues at its tip, which also becomes the base commit.
   *
   * @throws SwitchyardError `branch_not_found`, `branch_in_use`, `invalid_branch`, `repository_empty`,
   *   `directory_unwritable`, `disk_full`; `repository_unavailable` when the shared clone is damaged
   */
  async addWorktree(identity: RepositoryIdentity, request: CheckoutRequest): Promise<Checkout> {
    requireBranch(request.branch)
    return await openWorktrees(this.#clones, identity).add(request)
  }

  /**
   * Adds a clone of its own for one task, as `addWorktree` adds a worktree. Nothing that its agent writes to it is read by
   * another task's git. It borrows the remote's objects from the store, so creating it copies no history.
   *
   * @throws SwitchyardError as `addWorktree`
   */
  async addClone(identity: RepositoryIdentity, request: CheckoutRequest): Promise<Checkout> {
    requireBranch(request.branch)
    return await openWorktrees(this.#clones, identity).add(request, 'clone')
  }

  /**
   * Restores the repository of a worktree or clone if an agent deleted it: the links between a worktree and the shared
   * clone, or the git directory of a clone as it was created. All files stay as they are. Does nothing for a directory
   * that Switchyard did not create or that does not exist.
   *
   * @throws SwitchyardError `repository_unavailable` when the shared clone is damaged
   */
  async restore(identity: RepositoryIdentity, directory: string): Promise<void> {
    await openWorktrees(this.#clones, identity).restore(directory)
  }

  /**
   * Removes a worktree or a clone. The branch stays: that of a clone is stored in the mirror, unless the remote has all its
   * commits. Safe to repeat when the directory no longer exists.
   *
   * @param root - the directory that must contain the worktree
   * @throws SwitchyardError `path_outside_workspace` when the directory is not one of our worktrees below `root`
   */
  async removeWorktree(identity: RepositoryIdentity, directory: string, root: string): Promise<void> {
    await openWorktrees(this.#clones, identity).remove(directory, root, identity.displayUrl)
  }

  /**
   * Returns the branch that a worktree was created on.
   *
   * @returns undefined when the directory is not one of our worktrees, or when the branch was deleted
   */
  async branchOf(identity: RepositoryIdentity, directory: string): Promise<string | undefined> {
    return (await openWorktrees(this.#clones, identity).branchOf(directory))?.name
  }

  /**
   * Returns the commit and the branch that are checked out in a worktree or in the user's own checkout, each null when
   * it does not exist.
   *
   * @throws SwitchyardError `workspace_gone`
   */
  async checkedOut(
    identity: RepositoryIdentity,
    directory: string,
  ): Promise<{ readonly head: string | null; readonly branch: string | null }> {
    const known = await openWorktrees(this.#clones, identity).gitDirectoryOf(directory)
    const gitDirectory = (await isRealDirectory(directory)) ? (known ?? (await findGitDirectory(directory))) : undefined
    if (gitDirectory === undefined) throw new SwitchyardError('workspace_gone', `${directory} is not a git checkout`)
    const { commit, branch } = await readHead(gitDirectory)
    return { head: commit ?? null, branch }
  }

  /** Deletes a branch that no worktree and no clone uses. git deletes its commits in a later clean-up. */
  async deleteBranch(identity: RepositoryIdentity, branch: string): Promise<void> {
    requireBranch(branch)
    const shared = this.#clones.shared(identity)
    if (shared.exists) await shared.deleteBranch(branch)
    await this.#clones.registry(identity).delete(branch)
  }

  /**
   * Creates a clone that needs no other directory, for a task in Docker mode. Call `fetch` first: the clone is created
   * from the mirror. An unfinished or earlier clone in the same directory is replaced.
   *
   * @throws SwitchyardError as `addWorktree`
   */
  async createStandaloneClone(identity: RepositoryIdentity, request: CheckoutRequest): Promise<Checkout> {
    requireBranch(request.branch)
    const source = {
      mirror: this.#clones.mirror(identity),
      registry: this.#clones.registry(identity),
      shared: this.#clones.shared(identity),
    }
    return await createStandaloneClone(source, identity.displayUrl, request)
  }

  /**
   * Removes the mirror, the object store and the shared clone of a repository that has no worktrees and clones.
   *
   * @param confirm - called when there are no worktrees, while nobody can fetch; false keeps the clones. Default: true
   * @returns false when the clones were kept
   */
  async removeClones(identity: RepositoryIdentity, confirm?: () => Promise<boolean>): Promise<boolean> {
    const { lock, mirrorsDir } = this.#clones
    const alone = <T>(work: () => Promise<T>): Promise<T> =>
      lock(`mirror:${identity.key}`, () => lock(`shared:${identity.key}`, () => lock(`objects:${identity.key}`, work)))
    return await alone(async () => {
      if (await openWorktrees(this.#clones, identity).hasAny()) return false
      if (confirm && !(await confirm())) return false
      const { records, indexes } = worktreeDirectories(mirrorsDir, identity)
      const clones = [this.#clones.shared(identity).directory, this.#clones.mirror(identity).directory]
      await this.#clones.objectStore(identity).remove()
      for (const directory of [...clones, records, indexes]) await rm(directory, { recursive: true, force: true })
      return true
    })
  }
}
