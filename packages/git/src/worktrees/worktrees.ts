// The worktrees of one repository: adds, finds and removes them. `worktree-files.ts` knows their files,
// `worktree-branches.ts` their branches and `worktree-records.ts` which ones exist.

import { lstat, realpath, rmdir } from 'node:fs/promises'
import path from 'node:path'
import { isBelow, SwitchyardError, systemErrorCode } from '@switchyard/contracts'
import type { IndexCache, WithIndex } from '../changes/index-cache.ts'
import type { Checkout, CheckoutRequest } from '../clones/checkout.ts'
import type { Mirror } from '../clones/mirror.ts'
import type { SharedClone } from '../clones/shared-clone.ts'
import { COMMIT, type GitDirectory, isRealDirectory } from '../untrusted/git-directory.ts'
import { readRef } from '../untrusted/refs.ts'
import { branchInUse, WorktreeBranches, worktreeId } from './worktree-branches.ts'
import { WorktreeFiles } from './worktree-files.ts'
import type { WorktreeRecord, WorktreeRecords } from './worktree-records.ts'

/** A branch and its tip. */
export type BranchTip = { readonly name: string; readonly tip: string }

export type WorktreesOptions = {
  readonly mirror: Mirror
  readonly shared: SharedClone
  readonly records: WorktreeRecords
  readonly indexes: IndexCache
  /** Runs `work` while no other process changes which branches the worktrees of this repository use. */
  readonly lock: <T>(work: () => Promise<T>) => Promise<T>
  /** Returns true when a directory is a worktree of any repository. */
  readonly isWorktree: (directory: string) => Promise<boolean>
}

const notAWorktree = (directory: string, url: string): SwitchyardError =>
  new SwitchyardError('path_outside_workspace', `${directory} is not a worktree of ${url} that Switchyard created`)

export class Worktrees {
  readonly #mirror: Mirror
  readonly #shared: SharedClone
  readonly #records: WorktreeRecords
  readonly #indexes: IndexCache
  readonly #branches: WorktreeBranches
  readonly #files: WorktreeFiles
  readonly lock: WorktreesOptions['lock']

  constructor({ mirror, shared, records, indexes, lock, isWorktree }: WorktreesOptions) {
    this.#mirror = mirror
    this.#shared = shared
    this.#records = records
    this.#indexes = indexes
    this.#branches = new WorktreeBranches(mirror, shared, records)
    this.#files = new WorktreeFiles({ mirror, shared, isWorktree })
    this.lock = lock
  }

  /** Adds a worktree; see `Repositories.addWorktree`. */
  async add(request: CheckoutRequest): Promise<Checkout> {
    const { signal } = request
    const directory = path.resolve(request.directory)
    const base = await this.#mirror.resolveBase(request.base, signal)
    const known = await this.#read(directory)
    if (known && known.branch !== request.branch)
      throw branchInUse(request.branch, `cannot be used in ${directory}, which is the worktree of "${known.branch}"`)
    if (known?.isReady && (await isRealDirectory(directory))) {
      await this.#files.relink(known)
      return toCheckout(known)
    }
    if (known) return await this.#finish(known, signal)
    return await this.#begin({ ...request, directory }, base)
  }

  async #begin(request: CheckoutRequest, base: string): Promise<Checkout> {
    const { directory, branch, signal } = request
    try {
      await requireFree(directory)
    } catch (error) {
      // A concurrent caller may have created the same worktree.
      if (await this.#read(directory)) return await this.add(request)
      throw error
    }
    const createRecord = (baseCommit: string) =>
      this.#records.create({ id: worktreeId(directory), directory, branch, baseCommit, isReady: false })
    const existing = await this.#branches.find(branch, signal)
    if (existing === undefined) {
      if (!(await createRecord(base))) return await this.add(request)
      await this.#branches.createFor(directory, branch, base, signal)
      return await this.#createFiles(directory, branch, base, base, signal)
    }
    // A concurrent caller may have created the branch for this very worktree.
    if (await this.#read(directory)) return await this.add(request)
    if (!request.reuse) throw branchInUse(branch, 'already exists')
    // The lock keeps two callers from both finding the branch unused.
    const isCreated = await this.lock(async () => {
      await this.#branches.requireUnused(branch, directory)
      return await createRecord(existing.commit)
    })
    if (!isCreated) return await this.add(request)
    if (!existing.isLocal) await this.#branches.createFor(directory, branch, existing.commit, signal)
    return await this.#createFiles(directory, branch, existing.commit, existing.commit, signal)
  }

  /** Completes a worktree that a crash left unfinished or whose directory was deleted, at the tip of its branch. */
  async #finish(known: WorktreeRecord, signal: AbortSignal | undefined): Promise<Checkout> {
    const { directory, branch, baseCommit } = known
    if (!(await this.#files.isLinked(known)))
      await requireFree(directory).catch(async (error: unknown) => {
        if (!(await this.#files.isLinked(known))) throw error
      })
    if (await this.#files.isLinked(known)) {
      // All files are there. The crash may have come before the record was updated.
      await this.#files.relink(known)
      await this.#records.replace({ ...known, isReady: true })
      return toCheckout(known)
    }
    await this.#branches.requireUnused(branch, directory).catch(async (error: unknown) => {
      // The record of an unfinished worktree is obsolete when another worktree uses its branch now.
      if (!known.isReady) await this.#records.delete(known.id)
      throw error
    })
    const tip = await this.#shared.resolve(`refs/heads/${branch}`, signal)
    // A concurrent caller may create the branch first; that's fine.
    if (tip === undefined) await this.#branches.create(branch, baseCommit, signal)
    return await this.#createFiles(directory, branch, baseCommit, tip ?? baseCommit, signal)
  }

  async #createFiles(
    directory: string,
    branch: string,
    baseCommit: string,
    start: string,
    signal: AbortSignal | undefined,
  ): Promise<Checkout> {
    const record: WorktreeRecord = { id: worktreeId(directory), directory, branch, baseCommit, isReady: true }
    await this.#files.create(record, start, signal)
    await this.#records.replace(record)
    return toCheckout(record)
  }

  /** Reads the record of the worktree in a directory; undefined when Switchyard did not create one there. */
  async #read(directory: string): Promise<WorktreeRecord | undefined> {
    return await this.#records.read(worktreeId(path.resolve(directory)))
  }

  /** Restores the links of a worktree; see `Repositories.relink`. */
  async relink(directory: string): Promise<void> {
    const record = await this.#read(directory)
    if (record?.isReady && (await isRealDirectory(directory))) await this.#files.relink(record)
  }

  /**
   * Returns the record of a complete worktree, after restoring its links.
   *
   * @throws SwitchyardError `path_outside_workspace` when Switchyard did not create a worktree there
   */
  async requireReady(directory: string): Promise<WorktreeRecord> {
    const record = await this.#read(directory)
    if (!record?.isReady || !(await isRealDirectory(directory)))
      throw new SwitchyardError('path_outside_workspace', `${directory} is not a worktree that Switchyard created`)
    await this.#files.relink(record)
    return record
  }

  async replaceRecord(record: WorktreeRecord): Promise<void> {
    await this.#records.replace(record)
  }

  /**
   * Returns where git stores the data of a worktree, whatever an agent wrote to the directory.
   *
   * @returns undefined when the directory is not one of our worktrees
   */
  async gitDirectoryOf(directory: string): Promise<GitDirectory | undefined> {
    const record = await this.#read(directory)
    return record && this.gitDirectoryOfRecord(record)
  }

  gitDirectoryOfRecord({ id }: WorktreeRecord): GitDirectory {
    return this.#files.gitDirectoryOf(id)
  }

  /** Returns access to the cached index of a worktree, or undefined when the directory is not our worktree. */
  async withIndexOf(directory: string): Promise<WithIndex | undefined> {
    const record = await this.#read(directory)
    return record && ((commit, work) => this.#indexes.use(record.id, commit, work))
  }

  /**
   * Returns the branch that a worktree was created on, whatever its agent has checked out since.
   *
   * @returns undefined when the directory is not one of our worktrees, or when the branch was deleted
   */
  async branchOf(directory: string, signal?: AbortSignal): Promise<BranchTip | undefined> {
    const record = await this.#read(directory)
    if (!record) return undefined
    const ref = `refs/heads/${record.branch}`
    // Reading the file saves a process. It does not always contain a commit id.
    const commit = await readRef(this.#shared.gitDirectory, ref)
    const tip = commit !== undefined && COMMIT.test(commit) ? commit : await this.#shared.resolve(ref, signal)
    return tip === undefined ? undefined : { name: record.branch, tip }
  }

  /** Returns the branches of all worktrees except those in the given directories. */
  async branchesExcept(directories: readonly string[]): Promise<readonly string[]> {
    const excluded = new Set(directories.map((directory) => path.resolve(directory)))
    return (await this.#records.all())
      .filter(({ directory }) => !excluded.has(directory))
      .map((record) => record.branch)
  }

  async hasAny(): Promise<boolean> {
    return (await this.#records.all()).length > 0
  }

  /** Removes a worktree; see `Repositories.removeWorktree`. */
  async remove(given: string, root: string, displayUrl: string): Promise<void> {
    const directory = path.resolve(given)
    if (!(await isReallyBelow(directory, root))) throw notAWorktree(directory, displayUrl)
    const record = await this.#read(directory)
    if (record === undefined) {
      // An earlier call may have removed it before a crash.
      if ((await lstat(directory).catch(() => undefined)) === undefined) return
      throw notAWorktree(directory, displayUrl)
    }
    await this.#files.remove(record)
    await this.#records.delete(record.id)
    await this.#indexes.delete(record.id)
  }
}

const toCheckout = ({ directory, branch, baseCommit }: WorktreeRecord): Checkout => ({ directory, branch, baseCommit })

/**
 * Removes an empty directory.
 *
 * @throws SwitchyardError `directory_unwritable` when the directory has content, which is never deleted here
 */
const requireFree = async (directory: string): Promise<void> => {
  try {
    await rmdir(directory)
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return
    throw new SwitchyardError(
      'directory_unwritable',
      `${directory} exists and is not a worktree that Switchyard created`,
      { hint: 'Move it away; nothing in it was changed.', retryable: false, cause: error },
    )
  }
}

/** Compares the paths after resolving the links above `directory`, which itself may not exist. */
const isReallyBelow = async (directory: string, root: string): Promise<boolean> => {
  const real = async (target: string) => await realpath(target).catch(() => path.resolve(target))
  return isBelow(await real(root), path.join(await real(path.dirname(directory)), path.basename(directory)))
}
