// The worktrees and clones of one repository: adds, finds and removes them. `worktree-files.ts` and `clone-files.ts` know
// their files, `worktree-branches.ts` their branches and `worktree-records.ts` which ones exist.

import { lstat, realpath, rmdir } from 'node:fs/promises'
import path from 'node:path'
import { isBelow, SwitchyardError, systemErrorCode } from '@switchyard/contracts'
import type { IndexCache, WithIndex } from '../changes/index-cache.ts'
import type { BranchRegistry } from '../clones/branch-registry.ts'
import type { Checkout, CheckoutRequest } from '../clones/checkout.ts'
import type { Mirror } from '../clones/mirror.ts'
import type { ObjectStore } from '../clones/object-store.ts'
import type { SharedClone } from '../clones/shared-clone.ts'
import { COMMIT, type GitDirectory, isRealDirectory } from '../untrusted/git-directory.ts'
import { readRef } from '../untrusted/refs.ts'
import { CloneFiles } from './clone-files.ts'
import type { DirectoryFiles } from './directory-files.ts'
import { StagingDirectories } from './staging-directories.ts'
import { branchInUse, WorktreeBranches, worktreeId } from './worktree-branches.ts'
import { WorktreeFiles } from './worktree-files.ts'
import type { WorktreeRecord, WorktreeRecords } from './worktree-records.ts'

/** A branch and its tip. */
export type BranchTip = { readonly name: string; readonly tip: string }

export type WorktreesOptions = {
  readonly mirror: Mirror
  readonly shared: SharedClone
  readonly store: ObjectStore
  readonly registry: BranchRegistry
  readonly records: WorktreeRecords
  readonly indexes: IndexCache
  /** The remote URL that clones show. */
  readonly url: string
  /** Creates the shared clone if it does not exist. */
  readonly createShared: (signal: AbortSignal | undefined) => Promise<void>
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
  readonly #worktreeFiles: WorktreeFiles
  readonly #cloneFiles: CloneFiles
  readonly #createShared: WorktreesOptions['createShared']
  readonly lock: WorktreesOptions['lock']

  constructor(options: WorktreesOptions) {
    const { mirror, shared, store, records, indexes, url, lock, isWorktree } = options
    const staging = new StagingDirectories(isWorktree)
    this.#mirror = mirror
    this.#shared = shared
    this.#records = records
    this.#indexes = indexes
    this.#branches = new WorktreeBranches(options)
    this.#worktreeFiles = new WorktreeFiles({ mirror, shared, staging })
    this.#cloneFiles = new CloneFiles({ mirror, store, staging, url })
    this.#createShared = options.createShared
    this.lock = lock
  }

  #filesOf({ kind }: Pick<WorktreeRecord, 'kind'>): DirectoryFiles {
    return kind === 'clone' ? this.#cloneFiles : this.#worktreeFiles
  }

  /** Adds a worktree or a clone; see `Repositories.addWorktree` and `Repositories.addClone`. */
  async add(request: CheckoutRequest, kind?: 'clone'): Promise<Checkout> {
    const { signal } = request
    const directory = path.resolve(request.directory)
    const base = await this.#mirror.resolveBase(request.base, signal)
    const known = await this.#read(directory)
    if (known && known.branch !== request.branch)
      throw branchInUse(request.branch, `cannot be used in ${directory}, which is the worktree of "${known.branch}"`)
    if (known?.isReady && (await isRealDirectory(directory))) {
      await this.#filesOf(known).restore(known)
      return toCheckout(known)
    }
    if ((known ? known.kind : kind) !== 'clone') await this.#createShared(signal)
    if (known) return await this.#finish(known, signal)
    return await this.#begin({ ...request, directory }, base, kind)
  }

  async #begin(request: CheckoutRequest, base: string, kind: 'clone' | undefined): Promise<Checkout> {
    const { directory, branch, signal } = request
    try {
      await requireFree(directory)
    } catch (error) {
      // A concurrent caller may have created the same worktree.
      if (await this.#read(directory)) return await this.add(request, kind)
      throw error
    }
    const recordAt = (baseCommit: string): WorktreeRecord => ({
      id: worktreeId(directory),
      ...(kind === undefined ? {} : { kind }),
      directory,
      branch,
      baseCommit,
      isReady: false,
    })
    const existing = await this.#branches.find(branch, kind, signal)
    if (existing === undefined) {
      const record = recordAt(base)
      if (!(await this.#records.create(record))) return await this.add(request, kind)
      await this.#branches.createFor(record, base, signal)
      return await this.#createFiles(record, base, signal)
    }
    // A concurrent caller may have created the branch for this very worktree.
    if (await this.#read(directory)) return await this.add(request, kind)
    if (!request.reuse) throw branchInUse(branch, 'already exists')
    const record = recordAt(existing.commit)
    // The lock keeps two callers from both finding the branch unused.
    const isCreated = await this.lock(async () => {
      await this.#branches.requireUnused(branch, directory)
      return await this.#records.create(record)
    })
    if (!isCreated) return await this.add(request, kind)
    await this.#branches.continueAs(record, existing, signal)
    return await this.#createFiles(record, existing.commit, signal)
  }

  /** Completes a worktree that a crash left unfinished or whose directory was deleted, at the tip of its branch. */
  async #finish(known: WorktreeRecord, signal: AbortSignal | undefined): Promise<Checkout> {
    const { directory, branch, baseCommit } = known
    const files = this.#filesOf(known)
    if (!(await files.isComplete(known)))
      await requireFree(directory).catch(async (error: unknown) => {
        if (!(await files.isComplete(known))) throw error
      })
    if (await files.isComplete(known)) {
      // All files are there. The crash may have come before the record was updated.
      await files.restore(known)
      await this.#records.replace({ ...known, isReady: true })
      return toCheckout(known)
    }
    await this.#branches.requireUnused(branch, directory).catch(async (error: unknown) => {
      // The record of an unfinished worktree is obsolete when another worktree uses its branch now.
      if (!known.isReady) await this.#records.delete(known.id)
      throw error
    })
    const existing = await this.#branches.find(branch, known.kind, signal)
    if (existing === undefined || existing.source === 'remote') {
      // A concurrent caller may create the branch first; that's fine.
      await this.#branches.create(known, baseCommit, signal)
      return await this.#createFiles(known, baseCommit, signal)
    }
    await this.#branches.continueAs(known, existing, signal)
    return await this.#createFiles(known, existing.commit, signal)
  }

  async #createFiles(known: WorktreeRecord, start: string, signal: AbortSignal | undefined): Promise<Checkout> {
    const record: WorktreeRecord = { ...known, isReady: true }
    await this.#filesOf(record).create(record, start, signal)
    await this.#records.replace(record)
    return toCheckout(record)
  }

  /** Reads the record of the worktree in a directory; undefined when Switchyard did not create one there. */
  async #read(directory: string): Promise<WorktreeRecord | undefined> {
    return await this.#records.read(worktreeId(path.resolve(directory)))
  }

  /** Restores the repository of a worktree; see `Repositories.restore`. */
  async restore(directory: string): Promise<void> {
    const record = await this.#read(directory)
    if (record?.isReady && (await isRealDirectory(directory))) await this.#filesOf(record).restore(record)
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
    await this.#filesOf(record).restore(record)
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

  gitDirectoryOfRecord(record: WorktreeRecord): GitDirectory {
    return this.#filesOf(record).gitDirectoryOf(record)
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
    const commit = await readRef(this.gitDirectoryOfRecord(record).commonDir, ref)
    if (commit !== undefined && COMMIT.test(commit)) return { name: record.branch, tip: commit }
    const tip = record.kind === 'clone' ? undefined : await this.#shared.resolve(ref, signal)
    return tip === undefined ? undefined : { name: record.branch, tip }
  }

  /** Returns the branches of all worktrees except those in the given directories. */
  async branchesExcept(directories: readonly string[]): Promise<readonly string[]> {
    const excluded = new Set(directories.map((directory) => path.resolve(directory)))
    return (await this.#records.all())
      .filter(({ directory }) => !excluded.has(directory))
      .map((record) => record.branch)
  }

  /** Returns the commits that the clones started from. */
  async basesOfClones(): Promise<readonly string[]> {
    const clones = (await this.#records.all()).filter(({ kind }) => kind === 'clone')
    return [...new Set(clones.map(({ baseCommit }) => baseCommit))]
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
    if (record.kind === 'clone') {
      const { commonDir } = this.gitDirectoryOfRecord(record)
      await this.#branches.storeTip(record, path.join(commonDir, 'objects'), (await this.branchOf(directory))?.tip)
    }
    await this.#filesOf(record).remove(record)
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
