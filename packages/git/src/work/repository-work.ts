// The work in the worktrees and checkouts of a repository: counts, saves, publishes and imports it.

import { existsSync } from 'node:fs'
import path from 'node:path'
import { SwitchyardError } from '@switchyard/contracts'
import type { WithIndex } from '../changes/index-cache.ts'
import type { Clones } from '../clones/clones.ts'
import { requireBranch } from '../identity/branch.ts'
import type { RepositoryIdentity } from '../identity/identity.ts'
import { requireNoLinks } from '../untrusted/borrowed-objects.ts'
import { type GitDirectory, isRealDirectory } from '../untrusted/git-directory.ts'
import { inspectClone } from '../untrusted/inspect-git-directory.ts'
import { findOwnGitDirectory } from '../untrusted/own-git-directory.ts'
import { fetchRepository, openWorktrees } from '../worktrees/open-worktrees.ts'
import { bundleWithHistory } from './bundle-with-history.ts'
import { bundleClone, describeCloneLoss, readCloneLoss, type StoredWork } from './clone-loss.ts'
import { type Imported, importBundle, isAsImported } from './import-bundle.ts'
import { isPublished } from './is-published.ts'
import { type Published, type PublishRequest, publish } from './publish.ts'
import { createGitlinkCache } from './submodules.ts'
import { type WorkState, workState } from './work-state.ts'

type SignalOptions = { readonly signal?: AbortSignal }

export class RepositoryWork {
  readonly #clones: Clones

  constructor(clones: Clones) {
    this.#clones = clones
  }

  /**
   * Returns where the commits of a directory are. For our worktrees and clones we know it. Any other directory must contain its own
   * repository: a directory that could name another project's repository would publish that project's work as its own.
   *
   * @throws SwitchyardError `workspace_gone`; `repository_unavailable` when the repository is damaged, or reads objects
   *   from elsewhere
   */
  async gitDirectoryOf(identity: RepositoryIdentity, directory: string): Promise<GitDirectory> {
    const worktrees = openWorktrees(this.#clones, identity)
    const known = await worktrees.gitDirectoryOf(directory)
    if (known === undefined) return await findOwnGitDirectory(directory)
    if (!(await isRealDirectory(directory)))
      throw new SwitchyardError('workspace_gone', `${directory} no longer exists`)
    // The files are work too when an agent deleted the repository of its clone.
    if (known.gitDir === known.commonDir) await worktrees.restore(directory)
    await inspectClone(path.dirname(known.commonDir))
    // Where a clone borrows objects from is known; what the agent made of it is not read.
    if (known.gitDir === known.commonDir) await requireNoLinks(path.join(known.commonDir, 'objects'))
    return known
  }

  /**
   * Counts the work in a worktree, or in the user's own checkout, that the remote did not have at the last `fetch`.
   *
   * @param options.base - branch, tag or commit to count ahead and behind from; default: the default branch
   * @throws SwitchyardError `workspace_gone`, `branch_not_found`, `invalid_branch`, `repository_unavailable`,
   *   `call_timeout`
   */
  async state(
    identity: RepositoryIdentity,
    directory: string,
    { base, signal }: SignalOptions & { readonly base?: string } = {},
  ): Promise<WorkState> {
    const read = await this.#stateReader(identity, signal)
    return await read(directory, base, undefined)
  }

  /**
   * Returns a function that counts the work as `state` does, for many directories of one repository. It reads the
   * remote's branches once, and uses cached indexes, so that only changed files are read. Use the counts only for
   * display: before a directory is deleted, call `state`, which reads all files.
   *
   * @throws SwitchyardError `call_timeout`; the returned function throws as `state`
   */
  async states(
    identity: RepositoryIdentity,
    { signal }: SignalOptions = {},
  ): Promise<(directory: string, base?: string) => Promise<WorkState>> {
    const worktrees = openWorktrees(this.#clones, identity)
    const read = await this.#stateReader(identity, signal)
    return async (directory, base) => await read(directory, base, await worktrees.withIndexOf(directory))
  }

  async #stateReader(identity: RepositoryIdentity, signal: AbortSignal | undefined) {
    const mirror = this.#clones.mirror(identity)
    const worktrees = openWorktrees(this.#clones, identity)
    const remoteTips = await mirror.tips(signal)
    const bases = new Map<string | undefined, Promise<string>>()
    const resolveBase = (base: string | undefined): Promise<string> => {
      const resolved = bases.get(base) ?? mirror.resolveBase(base, signal)
      bases.set(base, resolved)
      return resolved
    }
    const readGitlinks = createGitlinkCache()
    return async (directory: string, base: string | undefined, withIndex: WithIndex | undefined) => {
      const gitDirectory = await this.gitDirectoryOf(identity, directory)
      // The worktree's branch is lost with it even if the agent has checked out another one.
      const branch = await worktrees.branchOf(directory, signal)
      const hasBase = remoteTips !== undefined && (remoteTips.length > 0 || base !== undefined)
      return await workState({
        directory,
        gitDirectory,
        objectDirs: remoteTips === undefined ? [] : [mirror.objectDirectory],
        ...(remoteTips === undefined ? {} : { remoteTips }),
        ...(branch === undefined ? {} : { alsoLost: [branch.tip] }),
        ...(withIndex === undefined ? {} : { withIndex }),
        ...(hasBase ? { base: await resolveBase(base) } : {}),
        readGitlinks,
        ...(signal ? { signal } : {}),
      })
    }
  }

  /**
   * Returns true when a commit of the remote, as of the last `fetch`, has the same files as a directory. Then nothing is
   * lost with the directory's uncommitted changes.
   *
   * @throws SwitchyardError as `state`
   */
  async isPublished(identity: RepositoryIdentity, directory: string, { signal }: SignalOptions = {}): Promise<boolean> {
    const mirror = this.#clones.mirror(identity)
    const remoteTips = await mirror.tips(signal)
    if (remoteTips === undefined) return false
    return await isPublished({
      directory,
      gitDirectory: await this.gitDirectoryOf(identity, directory),
      objectDirs: [mirror.objectDirectory],
      remoteTips,
      ...(signal ? { signal } : {}),
    })
  }

  /**
   * Writes a bundle of all the work that `state` counts, with its whole history, so that any repository can use it. For
   * the refs in it see `bundleWithHistory`.
   *
   * @returns false when there is neither a commit nor a file, and no bundle
   * @throws SwitchyardError `workspace_gone`; `payload_too_large` when a file is over 512 MiB; `disk_full`,
   *   `directory_unwritable`, `repository_unavailable`, `call_timeout`
   */
  async bundle(
    identity: RepositoryIdentity,
    directory: string,
    file: string,
    { signal }: SignalOptions = {},
  ): Promise<boolean> {
    return await bundleWithHistory({
      directory,
      gitDirectory: await this.gitDirectoryOf(identity, directory),
      objectDirs: [this.#clones.mirror(identity).objectDirectory],
      branch: await openWorktrees(this.#clones, identity).branchOf(directory, signal),
      remoteTips: await this.#clones.mirror(identity).tips(signal),
      file,
      ...(signal ? { signal } : {}),
    })
  }

  /**
   * Commits the work in a worktree, or in the user's own checkout, and pushes it to a branch of the remote. The
   * directory and its branches do not change. Safe to repeat: new work is added to the branch.
   *
   * @throws SwitchyardError `workspace_gone`, `invalid_branch`, `branch_diverged`, `push_rejected`,
   *   `repository_access_denied` and the other `repository_*` and `host_key_*` codes, `call_timeout`; `not_supported`
   *   when there are more than ten thousand untracked files
   */
  async publish(identity: RepositoryIdentity, request: PublishRequest): Promise<Published> {
    requireBranch(request.branch)
    const mirror = this.#clones.mirror(identity)
    const gitDirectory = await this.gitDirectoryOf(identity, request.directory)
    if ((await mirror.tips(request.signal)) === undefined)
      await fetchRepository(this.#clones, identity, request.signal ? { signal: request.signal } : {})
    const lock = <T>(work: () => Promise<T>) => this.#clones.lock(`mirror:${identity.key}`, work)
    // The lock keeps two concurrent calls from creating two commits of the same work.
    return await this.#clones.lock(`publish:${identity.key}`, async () =>
      publish({ mirror, connection: await this.#clones.connection(identity), gitDirectory, lock }, request),
    )
  }

  /**
   * Imports commits and uncommitted changes into a worktree in which nobody has worked. Its branch then ends at the
   * bundle's `refs/switchyard/head`, and its files are those of `refs/switchyard/worktree`, if the bundle has it: one
   * commit on top, whose changes are uncommitted in the worktree. Safe to repeat with the same bundle, also after a
   * crash: a completed import is not repeated.
   *
   * @param bundle - a git bundle file, such as `bundleHead` writes
   * @throws SwitchyardError `invalid_bundle`, `worktree_has_work`, `repository_unavailable`, `disk_full`;
   *   `bundle_incomplete` when the repository does not have the commits that the bundle needs;
   *   `path_outside_workspace` when the directory is not one of our worktrees
   */
  async importBundle(identity: RepositoryIdentity, directory: string, bundle: string): Promise<Imported> {
    const worktrees = openWorktrees(this.#clones, identity)
    const record = await worktrees.requireReady(directory)
    const gitDirectory = worktrees.gitDirectoryOfRecord(record)
    const target = {
      mirror: this.#clones.mirror(identity),
      shared: this.#clones.shared(identity),
      record,
      gitDirectory,
      replaceRecord: (changed: typeof record) => worktrees.replaceRecord(changed),
    }
    return await worktrees.lock(() => importBundle(target, bundle))
  }

  /**
   * Returns true when nothing was committed or changed in a worktree since `importBundle`.
   *
   * @returns null when nothing was imported
   * @throws SwitchyardError `path_outside_workspace` when the directory is not one of our worktrees
   */
  async isAsImported(identity: RepositoryIdentity, directory: string): Promise<boolean | null> {
    const record = await openWorktrees(this.#clones, identity).requireReady(directory)
    return await isAsImported({ mirror: this.#clones.mirror(identity), shared: this.#clones.shared(identity), record })
  }

  /**
   * Describes what would be lost with the mirror and the shared clone: commits on branches and tags that the remote did
   * not have at the last `fetch`, and stashes. Commits on the branches of worktrees and clones do not count.
   *
   * @param removed - worktrees that are removed too and of which no bundle was written, so their branches count
   * @returns null when nothing would be lost
   * @throws SwitchyardError `repository_unavailable` when the shared clone is damaged; `call_timeout`
   */
  async describeCloneLoss(identity: RepositoryIdentity, removed: readonly string[]): Promise<string | null> {
    const used = await openWorktrees(this.#clones, identity).branchesExcept(removed)
    const remoteTips = (await this.#clones.mirror(identity).tips()) ?? []
    return describeCloneLoss(await readCloneLoss(await this.#storedWork(identity), used, remoteTips))
  }

  /**
   * Writes a bundle of all stored branches: those of removed tasks, and those of the shared clone with its tags, and its
   * stashes as `refs/switchyard/stash/<n>`.
   *
   * @param options.isThin - omit what the remote had at the last `fetch`
   * @throws SwitchyardError as `describeCloneLoss`; `disk_full`, `directory_unwritable`
   */
  async bundleClone(
    identity: RepositoryIdentity,
    file: string,
    { isThin }: { readonly isThin: boolean },
  ): Promise<void> {
    const without = isThin ? ((await this.#clones.mirror(identity).tips()) ?? []) : []
    await bundleClone(await this.#storedWork(identity), file, without)
  }

  async #storedWork(identity: RepositoryIdentity): Promise<StoredWork> {
    const shared = this.#clones.shared(identity)
    return {
      mirrorObjects: this.#clones.mirror(identity).objectDirectory,
      branches: await this.#clones.registry(identity).entries(),
      ...(existsSync(shared.gitDirectory) ? { shared: shared.directory } : {}),
    }
  }
}
