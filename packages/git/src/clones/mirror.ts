// The private bare mirror of a repository: the worker's alone, and the only one that talks to the network.

import { existsSync } from 'node:fs'
import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises'
import path from 'node:path'
import { fromFileError, SwitchyardError } from '@switchyard/contracts'
import type { Connect, Connection } from '../access/connection.ts'
import { removeLockFiles } from '../command/lock-files.ts'
import { type GitOptions, git, gitLine } from '../command/run.ts'
import { isValidBase } from '../identity/branch.ts'
import type { RepositoryIdentity } from '../identity/identity.ts'
import type { OwnRepository } from '../untrusted/isolated-repository.ts'
import { noteUrl } from '../worktrees/mirrored-repositories.ts'
import { LOCAL_RECEIVE_PACK } from './push.ts'

/** Each fetch brings a pack; more than these are put together, so that reading stays quick. */
const MAX_PACKS = 50
const KEPT = 'refs/switchyard/'

export class Mirror {
  readonly directory: string
  readonly #identity: RepositoryIdentity
  readonly #connect: Connect
  readonly #timeoutMs: number

  /** @param timeoutMs - for a clone or a fetch */
  constructor(directory: string, identity: RepositoryIdentity, connect: Connect, timeoutMs: number) {
    this.directory = path.resolve(directory)
    this.#identity = identity
    this.#connect = connect
    this.#timeoutMs = timeoutMs
  }

  get objectDirectory(): string {
    return path.join(this.directory, 'objects')
  }

  /** Clones or fetches. What a crash left half made is never used. Only under the repository's lock. */
  async update(signal: AbortSignal): Promise<void> {
    const { kind, fetchUrl } = this.#identity
    if (kind === 'path') await requireDirectory(fetchUrl)
    const isNew = !existsSync(this.directory)
    const target = isNew ? `${this.directory}.new` : this.directory
    if (isNew) {
      await rm(target, { recursive: true, force: true })
      await mkdir(target, { recursive: true }).catch((error: unknown) => {
        throw fromFileError(error, target)
      })
      await git(['init', '--quiet', '--bare', '--template=', '.'], { cwd: target, signal })
      // The shared clone may ask for a commit that only a tag leads to.
      await git(['config', 'uploadpack.allowAnySHA1InWant', 'true'], { cwd: target, signal })
    }
    const connection = await this.#connect(this.#identity)
    const [head] = await Promise.all([this.#remoteHead(connection, signal), this.#fetch(connection, target, signal)])
    if (head?.ref) await git(['symbolic-ref', 'HEAD', head.ref], { cwd: target, signal })
    else if (head?.commit)
      await git(['update-ref', '--no-deref', 'HEAD', head.commit], { cwd: target, signal, okCodes: [0, 128] })
    await noteUrl(target, this.#identity)
    if (isNew) await rename(target, this.directory)
    await this.#packTogether(signal)
  }

  async #fetch(connection: Connection, target: string, signal: AbortSignal): Promise<void> {
    const fetch = () =>
      git(
        [
          'fetch',
          '--quiet',
          '--prune',
          '--force',
          '--update-shallow',
          '--no-recurse-submodules',
          '--no-auto-maintenance',
          '--no-write-fetch-head',
          '--',
          connection.url,
          '+refs/heads/*:refs/heads/*',
          '+refs/tags/*:refs/tags/*',
        ],
        {
          env: connection.env,
          config: [...connection.config, 'fetch.unpackLimit=1'],
          timeoutMs: this.#timeoutMs,
          cwd: target,
          signal,
        },
      )
    await fetch().catch(async (error: unknown) => {
      // Whoever calls holds the repository's lock, so a lock file of any age is one that a killed git left.
      if (!(await removeLockFiles(target, error, 0))) throw error
      await fetch()
    })
  }

  /** The remote's default branch; for a detached HEAD, as in a local checkout, its commit. */
  async #remoteHead(
    { url, env, config }: Connection,
    signal: AbortSignal,
  ): Promise<{ readonly ref?: string; readonly commit?: string } | undefined> {
    const told = await gitLine(['ls-remote', '--symref', '--', url, 'HEAD'], {
      env,
      config,
      timeoutMs: this.#timeoutMs,
      signal,
    })
    const ref = /^ref: (refs\/heads\/\S+)\tHEAD$/m.exec(told)?.[1]
    if (ref) return { ref }
    const commit = /^([0-9a-f]{40,64})\tHEAD$/m.exec(told)?.[1]
    return commit ? { commit } : undefined
  }

  async #packTogether(signal: AbortSignal): Promise<void> {
    const packs = await readdir(path.join(this.objectDirectory, 'pack')).catch(() => [])
    if (packs.filter((name) => name.endsWith('.pack')).length <= MAX_PACKS) return
    await git(['repack', '--geometric=2', '-d', '-l', '-q'], {
      cwd: this.directory,
      signal,
      timeoutMs: this.#timeoutMs,
    })
  }

  /**
   * The commit that a task begins from.
   *
   * @param base - branch, tag or commit; default: the remote's default branch
   * @throws SwitchyardError `branch_not_found`, `invalid_branch`, `repository_empty`
   */
  async resolveBase(base: string | undefined, signal?: AbortSignal): Promise<string> {
    const at: GitOptions = { cwd: this.directory, ...(signal ? { signal } : {}) }
    if (base !== undefined && !isValidBase(base))
      throw new SwitchyardError('invalid_branch', `"${base}" names no commit`)
    const tried =
      base === undefined
        ? ['HEAD']
        : [`refs/heads/${base}`, `refs/tags/${base}`, ...(/^[0-9a-f]{7,64}$/.test(base) ? [base] : [])]
    for (const name of tried) {
      const commit = await this.#commitOf(name, at)
      if (commit !== '') return commit
    }
    const { displayUrl } = this.#identity
    const branches = await gitLine(['for-each-ref', '--count=5', '--format=%(refname:short)', 'refs/heads'], at)
    if (branches === '') throw new SwitchyardError('repository_empty', `${displayUrl} has no commit yet`)
    if (base === undefined)
      throw new SwitchyardError('branch_not_found', `${displayUrl} has no default branch`, {
        hint: `Give base_branch; it has ${branches.split('\n').join(', ')}.`,
      })
    throw new SwitchyardError('branch_not_found', `"${base}" is no branch, tag or commit of ${displayUrl}`)
  }

  /** @throws SwitchyardError `repository_empty`, `branch_not_found` where the remote's HEAD is detached, as in a checkout. */
  async defaultBranch(): Promise<string> {
    await this.resolveBase(undefined)
    const name = await gitLine(['symbolic-ref', '--quiet', 'HEAD'], { cwd: this.directory, okCodes: [0, 1] })
    if (name.startsWith('refs/heads/')) return name.slice('refs/heads/'.length)
    throw new SwitchyardError('branch_not_found', `${this.#identity.displayUrl} is on no branch`)
  }

  /** The tip of a branch of the remote, if it has that branch. */
  async branch(name: string, signal?: AbortSignal): Promise<string | undefined> {
    const commit = await this.#commitOf(`refs/heads/${name}`, { cwd: this.directory, ...(signal ? { signal } : {}) })
    return commit === '' ? undefined : commit
  }

  /** The tips of all branches and tags; undefined before the first fetch. */
  async tips(signal?: AbortSignal): Promise<readonly string[] | undefined> {
    if (!existsSync(this.directory)) return undefined
    const told = await gitLine(['for-each-ref', '--format=%(objectname)', 'refs/heads', 'refs/tags'], {
      cwd: this.directory,
      ...(signal ? { signal } : {}),
    })
    return told === '' ? [] : told.split('\n')
  }

  /** A commit that was kept under a name of ours, which no fetch touches. */
  async kept(name: string, signal?: AbortSignal): Promise<string | undefined> {
    const commit = await this.#commitOf(`${KEPT}${name}`, { cwd: this.directory, ...(signal ? { signal } : {}) })
    return commit === '' ? undefined : commit
  }

  /** The tip of the default branch; undefined in a repository without a commit. */
  async head(signal?: AbortSignal): Promise<string | undefined> {
    const commit = await this.#commitOf('HEAD', { cwd: this.directory, ...(signal ? { signal } : {}) })
    return commit === '' ? undefined : commit
  }

  /** Takes a commit over from a repository of our own, under a name of ours. */
  async keep(own: OwnRepository, commit: string, name: string, signal?: AbortSignal): Promise<void> {
    await own.git(
      ['push', '--quiet', '--no-verify', LOCAL_RECEIVE_PACK, '--', this.directory, `+${commit}:${KEPT}${name}`],
      { timeoutMs: this.#timeoutMs, ...(signal ? { signal } : {}) },
    )
  }

  /** The remote has taken a commit that was kept: as a fetch would say. Only under the repository's lock. */
  async advance(branch: string, commit: string, signal?: AbortSignal): Promise<void> {
    await git(['update-ref', '--end-of-options', `refs/heads/${branch}`, commit], {
      cwd: this.directory,
      ...(signal ? { signal } : {}),
    })
  }

  async #commitOf(name: string, at: GitOptions): Promise<string> {
    return await gitLine(['rev-parse', '--quiet', '--verify', '--end-of-options', `${name}^{commit}`], {
      ...at,
      okCodes: [0, 1, 128],
    })
  }
}

const requireDirectory = async (place: string): Promise<void> => {
  const found = await stat(place).catch(() => undefined)
  if (!found?.isDirectory()) throw new SwitchyardError('repository_not_found', `there is no directory ${place}`)
}
