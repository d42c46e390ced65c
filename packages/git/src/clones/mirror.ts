// The private bare mirror of a repository. Only the worker can read it, and only the mirror talks to the network.

import { existsSync } from 'node:fs'
import { mkdir, rename, rm, stat } from 'node:fs/promises'
import path from 'node:path'
import { fromFileError, SwitchyardError } from '@switchyard/contracts'
import type { Connect, Connection } from '../access/connection.ts'
import { removeLockFiles } from '../command/lock-files.ts'
import { type GitOptions, git, gitLine } from '../command/run.ts'
import { isValidBase } from '../identity/branch.ts'
import type { RepositoryIdentity } from '../identity/identity.ts'
import type { IsolatedRepository } from '../untrusted/isolated-repository.ts'
import { SWITCHYARD_REFS } from '../untrusted/switchyard-refs.ts'
import { combinePacks } from './combine-packs.ts'
import { FETCH_OPTIONS } from './fetch-options.ts'
import { writeMirrorUrl } from './mirror-url.ts'
import { LOCAL_RECEIVE_PACK } from './push.ts'

export class Mirror {
  readonly directory: string
  readonly #identity: RepositoryIdentity
  readonly #connect: Connect
  readonly #timeoutMs: number

  /** @param timeoutMs - limit of a clone or a fetch */
  constructor(directory: string, identity: RepositoryIdentity, connect: Connect, timeoutMs: number) {
    this.directory = path.resolve(directory)
    this.#identity = identity
    this.#connect = connect
    this.#timeoutMs = timeoutMs
  }

  /** True after the first fetch. */
  get exists(): boolean {
    return existsSync(this.directory)
  }

  get objectDirectory(): string {
    return path.join(this.directory, 'objects')
  }

  /** Clones or fetches. An unfinished clone from before a crash is discarded. Requires the lock of the mirror. */
  async update(signal: AbortSignal): Promise<void> {
    const { kind, fetchUrl } = this.#identity
    if (kind === 'path') await requireDirectory(fetchUrl)
    const isNew = !this.exists
    const target = isNew ? `${this.directory}.new` : this.directory
    if (isNew) {
      await rm(target, { recursive: true, force: true })
      await mkdir(target, { recursive: true }).catch((error: unknown) => {
        throw fromFileError(error, target)
      })
      await git(['init', '--quiet', '--bare', '--template=', '.'], { cwd: target, signal })
      // Lets a clone fetch a commit that no branch reaches.
      await git(['config', 'uploadpack.allowAnySHA1InWant', 'true'], { cwd: target, signal })
    }
    const connection = await this.#connect(this.#identity)
    const [head] = await Promise.all([this.#remoteHead(connection, signal), this.#fetch(connection, target, signal)])
    if (head?.ref) await git(['symbolic-ref', 'HEAD', head.ref], { cwd: target, signal })
    else if (head?.commit)
      await git(['update-ref', '--no-deref', 'HEAD', head.commit], { cwd: target, signal, okCodes: [0, 128] })
    await writeMirrorUrl(target, this.#identity)
    if (isNew) await rename(target, this.directory)
    await combinePacks(this.directory, signal)
  }

  async #fetch(connection: Connection, target: string, signal: AbortSignal): Promise<void> {
    const fetch = () =>
      git(['fetch', ...FETCH_OPTIONS, '--', connection.url, '+refs/heads/*:refs/heads/*', '+refs/tags/*:refs/tags/*'], {
        env: connection.env,
        config: [...connection.config, 'fetch.unpackLimit=1'],
        timeoutMs: this.#timeoutMs,
        cwd: target,
        signal,
      })
    await fetch().catch(async (error: unknown) => {
      // We hold the lock of the mirror, so every lock file in it was left by a git process that was killed.
      if (!(await removeLockFiles(target, error, 0))) throw error
      await fetch()
    })
  }

  /** Returns the remote's default branch, or its commit when HEAD is detached, as it can be in a local checkout. */
  async #remoteHead(
    { url, env, config }: Connection,
    signal: AbortSignal,
  ): Promise<{ readonly ref?: string; readonly commit?: string } | undefined> {
    const output = await gitLine(['ls-remote', '--symref', '--', url, 'HEAD'], {
      env,
      config,
      timeoutMs: this.#timeoutMs,
      signal,
    })
    const ref = /^ref: (refs\/heads\/\S+)\tHEAD$/m.exec(output)?.[1]
    if (ref) return { ref }
    const commit = /^([0-9a-f]{40,64})\tHEAD$/m.exec(output)?.[1]
    return commit ? { commit } : undefined
  }

  /**
   * Returns the commit from which a task starts.
   *
   * @param base - branch, tag or commit; default: the remote's default branch
   * @throws SwitchyardError `branch_not_found`, `invalid_branch`, `repository_empty`
   */
  async resolveBase(base: string | undefined, signal?: AbortSignal): Promise<string> {
    if (base !== undefined && !isValidBase(base))
      throw new SwitchyardError('invalid_branch', `"${base}" is not a valid name of a branch, tag or commit`)
    const candidates =
      base === undefined
        ? ['HEAD']
        : [`refs/heads/${base}`, `refs/tags/${base}`, ...(/^[0-9a-f]{7,64}$/.test(base) ? [base] : [])]
    for (const name of candidates) {
      const commit = await this.#resolve(name, signal)
      if (commit !== undefined) return commit
    }
    const { displayUrl } = this.#identity
    const branches = await gitLine(
      ['for-each-ref', '--count=5', '--format=%(refname:short)', 'refs/heads'],
      this.#options(signal),
    )
    if (branches === '') throw new SwitchyardError('repository_empty', `${displayUrl} has no commit yet`)
    if (base === undefined)
      throw new SwitchyardError('branch_not_found', `${displayUrl} has no default branch`, {
        hint: `Pass base_branch; the repository has ${branches.split('\n').join(', ')}.`,
      })
    throw new SwitchyardError('branch_not_found', `${displayUrl} has no branch, tag or commit "${base}"`)
  }

  /** @throws SwitchyardError `repository_empty`; `branch_not_found` when the remote's HEAD is detached */
  async defaultBranch(): Promise<string> {
    await this.resolveBase(undefined)
    const name = await gitLine(['symbolic-ref', '--quiet', 'HEAD'], { cwd: this.directory, okCodes: [0, 1] })
    if (name.startsWith('refs/heads/')) return name.slice('refs/heads/'.length)
    throw new SwitchyardError('branch_not_found', `the HEAD of ${this.#identity.displayUrl} is detached`)
  }

  /** Returns the tip of a remote branch, or undefined when the remote has no such branch. */
  async branchTip(name: string, signal?: AbortSignal): Promise<string | undefined> {
    return await this.#resolve(`refs/heads/${name}`, signal)
  }

  /** Returns the tip of the default branch, or undefined when the repository has no commit. */
  async defaultTip(signal?: AbortSignal): Promise<string | undefined> {
    return await this.#resolve('HEAD', signal)
  }

  /** Returns the tips of all branches and tags, or undefined before the first fetch. */
  async tips(signal?: AbortSignal): Promise<readonly string[] | undefined> {
    if (!this.exists) return undefined
    const output = await gitLine(
      ['for-each-ref', '--format=%(objectname)', 'refs/heads', 'refs/tags'],
      this.#options(signal),
    )
    return output === '' ? [] : output.split('\n')
  }

  /** Returns true when a branch or tag of the remote reaches a commit, as of the last fetch. */
  async isPublished(commit: string): Promise<boolean> {
    const args = ['for-each-ref', '--count=1', '--format=%(refname)', '--contains', commit, 'refs/heads', 'refs/tags']
    return (await gitLine(args, this.#options(undefined))) !== ''
  }

  /** Returns a commit that `storeCommit` stored. */
  async storedCommit(name: string, signal?: AbortSignal): Promise<string | undefined> {
    return await this.#resolve(`${SWITCHYARD_REFS}/${name}`, signal)
  }

  /** Copies a commit from an isolated repository to a ref that no fetch changes. */
  async storeCommit(isolated: IsolatedRepository, commit: string, name: string, signal?: AbortSignal): Promise<void> {
    const refspec = `+${commit}:${SWITCHYARD_REFS}/${name}`
    await isolated.git(['push', '--quiet', '--no-verify', LOCAL_RECEIVE_PACK, '--', this.directory, refspec], {
      timeoutMs: this.#timeoutMs,
      ...(signal ? { signal } : {}),
    })
  }

  /**
   * Moves a branch to a stored commit after the remote accepted it, as the next fetch would. Requires the lock of the
   * mirror.
   */
  async setBranch(branch: string, commit: string, signal?: AbortSignal): Promise<void> {
    await git(['update-ref', '--end-of-options', `refs/heads/${branch}`, commit], this.#options(signal))
  }

  #options(signal: AbortSignal | undefined): GitOptions {
    return { cwd: this.directory, ...(signal ? { signal } : {}) }
  }

  async #resolve(name: string, signal: AbortSignal | undefined): Promise<string | undefined> {
    const commit = await gitLine(['rev-parse', '--quiet', '--verify', '--end-of-options', `${name}^{commit}`], {
      ...this.#options(signal),
      okCodes: [0, 1, 128],
    })
    return commit === '' ? undefined : commit
  }
}

const requireDirectory = async (directory: string): Promise<void> => {
  const found = await stat(directory).catch(() => undefined)
  if (!found?.isDirectory())
    throw new SwitchyardError('repository_not_found', `the directory ${directory} does not exist`)
}
