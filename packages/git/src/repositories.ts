// Clones and worktrees. A private mirror is all that talks to the network; the agent sees a shared clone that is
// brought up to date from the mirror, and its task's worktree of that. Submodules and LFS objects are not fetched.

import { existsSync } from 'node:fs'
import { realpath, rm } from 'node:fs/promises'
import path from 'node:path'
import { isInside, SwitchyardError } from '@switchyard/contracts'
import { type Connect, networkEnvironment } from './access/connection.ts'
import { KeptIndexes, type WithIndex } from './changes/index-cache.ts'
import { Mirror } from './clones/mirror.ts'
import type { Checkout } from './clones/scratch.ts'
import { inspectClone, SharedClone } from './clones/shared-clone.ts'
import { Fetches } from './clones/shared-fetches.ts'
import { makeClone } from './clones/task-clone.ts'
import { requireBranch } from './identity/branch.ts'
import type { RepositoryIdentity } from './identity/identity.ts'
import { findGitPlace, type GitPlace, isRealDirectory, readHead } from './untrusted/git-directory.ts'
import { ownPlaceOf } from './untrusted/own-git-directory.ts'
import { saveWork } from './work/bundle-with-history.ts'
import { bundleClone, describeCloneLoss, readCloneLoss } from './work/clone-loss.ts'
import type { Imported } from './work/import-bundle.ts'
import { isPublished } from './work/is-published.ts'
import { type Published, type PublishRequest, publish } from './work/publish.ts'
import { gitlinksOnce } from './work/submodules.ts'
import { type WorkState, workState } from './work/work-state.ts'
import { besideMirror, type KeptRepository, keptRepositories } from './worktrees/mirrored-repositories.ts'
import { WorktreeRecords } from './worktrees/worktree-records.ts'
import { type WorktreeRequest, Worktrees } from './worktrees/worktrees.ts'

export type RepositoriesOptions = {
  /** Where the mirrors are, and the records of worktrees: for the worker alone. */
  readonly mirrorsDir: string
  /** Where the shared clones are: the agent reads and writes here. */
  readonly sharedDir: string
  /** Where worktrees are made, if that is one place: nothing in it is a repository that anybody may start from. */
  readonly workspacesDir?: string
  /** Runs `work` while nobody else holds the lock of that name, in any process. */
  readonly lock: <T>(name: string, work: () => Promise<T>) => Promise<T>
  /** How repositories are reached, such as `RepositoryAccess.connect`; default: as the user's own git and ssh do. */
  readonly connect?: Connect
  /** For that default: what git and ssh need to reach the network as the caller does: HOME, SSH_AUTH_SOCK, proxies. */
  readonly environment?: Readonly<Record<string, string>>
  /** For that default: the ssh that fetches run, with its options (GIT_SSH_COMMAND); default: the user's own, without questions. */
  readonly sshCommand?: string
  /** ms for a clone or a fetch; default 10 minutes. */
  readonly fetchTimeoutMs?: number
}

type Options = { readonly signal?: AbortSignal }

const FETCH_TIMEOUT_MS = 10 * 60_000

export class Repositories {
  readonly #options: RepositoriesOptions
  readonly #connect: Connect
  readonly #fetches = new Fetches()

  constructor(options: RepositoriesOptions) {
    this.#options = options
    const env = {
      ...networkEnvironment(options.environment ?? {}),
      ...(options.sshCommand === undefined ? {} : { GIT_SSH_COMMAND: options.sshCommand }),
    }
    this.#connect = options.connect ?? (async ({ fetchUrl }) => ({ url: fetchUrl, env, config: [] }))
  }

  /** The shared clone of a repository. */
  sharedDirectory(identity: RepositoryIdentity): string {
    return path.join(this.#options.sharedDir, identity.slug)
  }

  /** Where the objects of a project's worktrees are, for `diffAgainst`. */
  objectDirectory(identity: RepositoryIdentity): string {
    return path.join(this.sharedDirectory(identity), '.git', 'objects')
  }

  /** The repositories that are mirrored here, with the worktrees that were made of each. */
  async kept(): Promise<readonly KeptRepository[]> {
    return await keptRepositories(this.#options.mirrorsDir)
  }

  #mirror(identity: RepositoryIdentity): Mirror {
    return new Mirror(
      path.join(this.#options.mirrorsDir, `${identity.slug}.git`),
      identity,
      this.#connect,
      this.#options.fetchTimeoutMs ?? FETCH_TIMEOUT_MS,
    )
  }

  #shared(identity: RepositoryIdentity): SharedClone {
    return new SharedClone(this.sharedDirectory(identity), this.#mirror(identity).directory, identity.displayUrl)
  }

  #worktrees(identity: RepositoryIdentity): Worktrees {
    const { worktrees, indexes } = besideMirror(this.#options.mirrorsDir, identity)
    return new Worktrees({
      mirror: this.#mirror(identity),
      shared: this.#shared(identity),
      records: new WorktreeRecords(worktrees),
      indexes: new KeptIndexes(indexes),
      lock: (work) => this.#options.lock(`worktrees:${identity.key}`, work),
      isMade: async (directory) =>
        (await this.kept()).some(({ worktrees: made }) => made.some((one) => one.directory === directory)),
    })
  }

  /**
   * Brings mirror and shared clone up to what the remote has now. Callers at the same time share one fetch, but only
   * one that began after they asked.
   *
   * @throws SwitchyardError `repository_*`, `invalid_project`, `disk_full`, `directory_unwritable`, `call_timeout`
   */
  async fetch(identity: RepositoryIdentity, options: Options = {}): Promise<void> {
    await this.#refuseOurOwn(identity)
    await this.#fetches.share(identity.key, options.signal, async (signal) => {
      await this.#options.lock(`mirror:${identity.key}`, () => this.#mirror(identity).update(signal))
      await this.#options.lock(`shared:${identity.key}`, () => this.#shared(identity).update(signal))
    })
  }

  /**
   * The name of the remote's default branch, as of the last fetch.
   *
   * @throws SwitchyardError `repository_empty`, `branch_not_found`
   */
  async defaultBranch(identity: RepositoryIdentity): Promise<string> {
    return await this.#mirror(identity).defaultBranch()
  }

  /** A local path that names what we keep, or have made, of another project would hand that project out. */
  async #refuseOurOwn(identity: RepositoryIdentity): Promise<void> {
    if (identity.kind !== 'path') return
    const { mirrorsDir, sharedDir, workspacesDir } = this.#options
    const real = async (place: string) => await realpath(place).catch(() => path.resolve(place))
    const place = await real(identity.fetchUrl)
    for (const ours of [mirrorsDir, sharedDir, ...(workspacesDir === undefined ? [] : [workspacesDir])])
      if (isInside(await real(ours), place))
        throw new SwitchyardError('invalid_project', `${identity.displayUrl} is a directory of Switchyard’s own`, {
          hint: 'Name the project that it belongs to; a repository of your own has to be moved out of WORKSPACES_DIR.',
        })
  }

  /**
   * Makes a linked worktree of the shared clone on a branch, from files of the mirror: `fetch` first.
   *
   * Safe to repeat after a crash: the same directory on the same branch is finished, or found as it is with all work in
   * it, whatever branch the agent has switched to. A directory that we did not make is never touched. A branch that
   * exists, in the clone or on the remote, is refused unless `reuse` is set; it is then continued at its tip, and
   * compared with that.
   *
   * @throws SwitchyardError `branch_not_found`, `branch_in_use`, `invalid_branch`, `repository_empty`,
   *   `repository_unavailable` (the shared clone is damaged), `directory_unwritable`, `disk_full`
   */
  async addWorktree(identity: RepositoryIdentity, request: WorktreeRequest): Promise<Checkout> {
    requireBranch(request.branch)
    return await this.#worktrees(identity).add(request)
  }

  /**
   * Puts back what makes a directory a worktree, where an agent deleted that; all its files stay as they are. Does nothing in
   * one that was not made here, or is gone.
   *
   * @throws SwitchyardError `repository_unavailable` where the shared clone is damaged
   */
  async relink(identity: RepositoryIdentity, directory: string): Promise<void> {
    await this.#worktrees(identity).relink(directory)
  }

  /** Forgets a branch of the shared clone that no worktree has any more; its commits go with git’s next clean-up. */
  async deleteBranch(identity: RepositoryIdentity, branch: string): Promise<void> {
    requireBranch(branch)
    await this.#shared(identity).deleteBranch(branch)
  }

  /**
   * Makes a clone of its own with the branch checked out, which needs nothing beside it: `fetch` first. What is in its
   * place and was not finished is made anew.
   *
   * @throws SwitchyardError as `addWorktree`
   */
  async makeClone(identity: RepositoryIdentity, request: WorktreeRequest): Promise<Checkout> {
    requireBranch(request.branch)
    return await makeClone(this.#mirror(identity), this.#shared(identity), identity.displayUrl, request)
  }

  /**
   * Gives a worktree, which nobody has worked in, commits and uncommitted changes from elsewhere: its branch then leads to the
   * bundle's `refs/switchyard/head`, its files are those of `refs/switchyard/worktree` (one commit on top, where there is
   * one), and the difference is uncommitted. Safe to repeat with the same bundle, after a crash too: an import that is done is
   * not done again.
   *
   * @param bundle - a file of `git bundle`, such as `bundleHead` writes
   * @throws SwitchyardError `invalid_bundle`, `bundle_incomplete` (it builds on commits that are not here),
   *   `worktree_has_work`, `path_outside_workspace` (no worktree made here), `repository_unavailable`, `disk_full`
   */
  async importBundle(identity: RepositoryIdentity, directory: string, bundle: string): Promise<Imported> {
    return await this.#worktrees(identity).importBundle(directory, bundle)
  }

  /**
   * Whether nothing was committed or changed in a worktree since `importBundle`; null where nothing was imported.
   *
   * @throws SwitchyardError `path_outside_workspace` (no worktree made here)
   */
  async isAsImported(identity: RepositoryIdentity, directory: string): Promise<boolean | null> {
    return await this.#worktrees(identity).isAsImported(directory)
  }

  /**
   * What a worktree, or a checkout of the caller's own, holds that the remote has not, as of the last `fetch`.
   *
   * @param options.base - branch, tag or commit that ahead and behind are counted from; default: the default branch
   * @throws SwitchyardError `workspace_gone`, `branch_not_found`, `invalid_branch`, `repository_unavailable`, `call_timeout`
   */
  async workState(
    identity: RepositoryIdentity,
    directory: string,
    { base, signal }: Options & { readonly base?: string } = {},
  ): Promise<WorkState> {
    const read = await this.#workStates(identity, signal)
    return await read(directory, base, undefined)
  }

  /**
   * As `workState`, for many directories of one repository: what they are compared with is read once, and of files that were not
   * touched since the last look only times and sizes. To show it; before something is deleted its files are read.
   *
   * @throws SwitchyardError `call_timeout`; the function that it gives throws as `workState`
   */
  async workStates(
    identity: RepositoryIdentity,
    { signal }: Options = {},
  ): Promise<(directory: string, base?: string) => Promise<WorkState>> {
    const worktrees = this.#worktrees(identity)
    const read = await this.#workStates(identity, signal)
    return async (directory, base) => await read(directory, base, await worktrees.indexOf(directory))
  }

  async #workStates(identity: RepositoryIdentity, signal: AbortSignal | undefined) {
    const mirror = this.#mirror(identity)
    const worktrees = this.#worktrees(identity)
    const remoteTips = await mirror.tips(signal)
    const bases = new Map<string | undefined, Promise<string>>()
    const resolve = (base: string | undefined): Promise<string> => {
      const known = bases.get(base) ?? mirror.resolveBase(base, signal)
      bases.set(base, known)
      return known
    }
    const gitlinks = gitlinksOnce()
    return async (directory: string, base: string | undefined, withIndex: WithIndex | undefined) => {
      const place = await this.placeOf(identity, directory)
      // An agent may have switched to another branch; the worktree's own goes with it.
      const branch = await worktrees.branchOf(directory, signal)
      const hasBase = remoteTips !== undefined && (remoteTips.length > 0 || base !== undefined)
      return await workState({
        directory,
        place,
        objectDirs: remoteTips === undefined ? [] : [mirror.objectDirectory],
        ...(remoteTips === undefined ? {} : { remoteTips }),
        ...(branch === undefined ? {} : { alsoLost: [branch.tip] }),
        ...(withIndex === undefined ? {} : { withIndex }),
        ...(hasBase ? { base: await resolve(base) } : {}),
        gitlinks,
        ...(signal ? { signal } : {}),
      })
    }
  }

  /**
   * Whether a commit of the remote, as of the last `fetch`, has the very files that a worktree or checkout holds: what is not
   * committed there is not lost with it.
   *
   * @throws SwitchyardError as `workState`
   */
  async isPublished(identity: RepositoryIdentity, directory: string, { signal }: Options = {}): Promise<boolean> {
    const mirror = this.#mirror(identity)
    const remoteTips = await mirror.tips(signal)
    if (remoteTips === undefined) return false
    return await isPublished({
      directory,
      place: await this.placeOf(identity, directory),
      objectDirs: [mirror.objectDirectory],
      remoteTips,
      ...(signal ? { signal } : {}),
    })
  }

  /**
   * Writes all that `workState` counts for a directory into one bundle, and no less: `refs/switchyard/head` is what is checked
   * out, `refs/heads/<branch>` the branch that a worktree was made on, `refs/switchyard/worktree` what was not committed. With
   * their whole history, so that any repository takes it.
   *
   * @returns false where there is neither a commit nor a file, and no bundle
   * @throws SwitchyardError `workspace_gone`, `payload_too_large` with a file over 512 MiB, `disk_full`, `directory_unwritable`,
   *   `repository_unavailable`, `call_timeout`
   */
  async bundle(
    identity: RepositoryIdentity,
    directory: string,
    file: string,
    { signal }: Options = {},
  ): Promise<boolean> {
    const mirror = this.#mirror(identity)
    return await saveWork({
      directory,
      place: await this.placeOf(identity, directory),
      objectDirs: [mirror.objectDirectory],
      branch: await this.#worktrees(identity).branchOf(directory, signal),
      file,
      ...(signal ? { signal } : {}),
    })
  }

  /**
   * Commits what a worktree, or a checkout of the caller's own, holds, and pushes it to a branch of the remote, as that
   * was at the last `fetch`. Neither the directory nor its branches change. Safe to repeat; what was done since is added.
   *
   * @throws SwitchyardError `workspace_gone`, `invalid_branch`, `branch_diverged`, `push_rejected`,
   *   `repository_access_denied` and the other `repository_*` and `host_key_*` codes, `not_supported` (ten thousand
   *   untracked files), `call_timeout`
   */
  async publish(identity: RepositoryIdentity, request: PublishRequest): Promise<Published> {
    requireBranch(request.branch)
    const mirror = this.#mirror(identity)
    const place = await this.placeOf(identity, request.directory)
    if ((await mirror.tips(request.signal)) === undefined)
      await this.fetch(identity, request.signal ? { signal: request.signal } : {})
    const lock = <T>(work: () => Promise<T>) => this.#options.lock(`mirror:${identity.key}`, work)
    // One at a time: two that publish the same work would make two commits of it.
    return await this.#options.lock(`publish:${identity.key}`, async () =>
      publish({ mirror, connection: await this.#connect(identity), place, lock }, request),
    )
  }

  /**
   * Where the commits of a directory are. Of a worktree made here we know it, and of any other directory they are in
   * itself: its own word could lead to another project's, which would then be published, or taken for what is in it.
   *
   * @throws SwitchyardError `workspace_gone`, `repository_unavailable` (it is damaged, or reads objects from elsewhere)
   */
  async placeOf(identity: RepositoryIdentity, directory: string): Promise<GitPlace> {
    const made = await this.#worktrees(identity).placeOf(directory)
    if (made === undefined) return await ownPlaceOf(directory)
    if (!(await isRealDirectory(directory)))
      throw new SwitchyardError('workspace_gone', `${directory} is no longer there`)
    await inspectClone(path.dirname(made.commonDir))
    return made
  }

  /**
   * The commit and the branch that are checked out in a worktree made here, or in a checkout of the caller's own; null where there
   * is none of them.
   *
   * @throws SwitchyardError `workspace_gone`
   */
  async checkedOut(
    identity: RepositoryIdentity,
    directory: string,
  ): Promise<{ readonly head: string | null; readonly branch: string | null }> {
    const made = await this.#worktrees(identity).placeOf(directory)
    const place = (await isRealDirectory(directory)) ? (made ?? (await findGitPlace(directory))) : undefined
    if (place === undefined) throw new SwitchyardError('workspace_gone', `${directory} is no checkout of a repository`)
    const { commit, branch } = await readHead(place)
    return { head: commit ?? null, branch }
  }

  /**
   * Deletes a worktree: its directory and what the clone knows of it. The branch stays. One that is gone already is
   * only forgotten.
   *
   * @throws SwitchyardError `path_outside_workspace` for anything that is not a worktree made here, below `root`.
   */
  async removeWorktree(identity: RepositoryIdentity, directory: string, root: string): Promise<void> {
    await this.#worktrees(identity).remove(directory, root, identity.displayUrl)
  }

  /** The branch that a worktree was made on; undefined where it was not made here, or has lost its branch. */
  async branchOf(identity: RepositoryIdentity, directory: string): Promise<string | undefined> {
    return (await this.#worktrees(identity).branchOf(directory))?.name
  }

  /**
   * In words, what would be lost with the shared clone: commits on branches and tags that the remote has not, as of the last
   * `fetch`, and stashes; null where nothing would be. What is on the branches of its worktrees is theirs.
   *
   * @param goes - worktrees that go with it, of which no bundle was written: what is on their branches counts
   * @throws SwitchyardError `repository_unavailable` where the clone is damaged, `call_timeout`
   */
  async describeCloneLoss(identity: RepositoryIdentity, goes: readonly string[]): Promise<string | null> {
    const shared = this.#shared(identity)
    if (!existsSync(shared.gitDirectory)) return null
    const kept = await this.#worktrees(identity).branchesBut(goes)
    const remoteTips = (await this.#mirror(identity).tips()) ?? []
    const safe = [...remoteTips, ...kept.map((branch) => `refs/heads/${branch}`)]
    return describeCloneLoss(await readCloneLoss(shared.directory, safe))
  }

  /**
   * Writes all branches and tags of the shared clone, and its stashes as `refs/switchyard/stash/<n>`, into one bundle.
   *
   * @param isThin - without what the remote has, as of the last `fetch`
   * @throws SwitchyardError as `describeCloneLoss`, `disk_full`, `directory_unwritable`
   */
  async bundleClone(
    identity: RepositoryIdentity,
    file: string,
    { isThin }: { readonly isThin: boolean },
  ): Promise<void> {
    const without = isThin ? ((await this.#mirror(identity).tips()) ?? []) : []
    await bundleClone(this.sharedDirectory(identity), file, without)
  }

  /**
   * Deletes mirror and shared clone of a repository that no worktree needs any more.
   *
   * @param mayGo - asked where there is none, while nobody can fetch; default: yes
   * @returns false where there are worktrees of it still, or it may not go: then nothing was deleted
   */
  async forget(identity: RepositoryIdentity, mayGo?: () => Promise<boolean>): Promise<boolean> {
    const { lock, mirrorsDir } = this.#options
    return await lock(`mirror:${identity.key}`, () =>
      lock(`shared:${identity.key}`, async () => {
        if (await this.#worktrees(identity).hasAny()) return false
        if (mayGo && !(await mayGo())) return false
        await rm(this.sharedDirectory(identity), { recursive: true, force: true })
        await rm(this.#mirror(identity).directory, { recursive: true, force: true })
        for (const directory of Object.values(besideMirror(mirrorsDir, identity)))
          await rm(directory, { recursive: true, force: true })
        return true
      }),
    )
  }
}
