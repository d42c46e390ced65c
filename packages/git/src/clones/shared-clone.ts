// The clone that agents see and write to. The worker reaches its objects and refs through a repository of its own.

import { existsSync } from 'node:fs'
import { lstat, mkdir, readdir, rename, rm } from 'node:fs/promises'
import path from 'node:path'
import { fromFileError, SwitchyardError } from '@switchyard/contracts'
import { removeLockFiles } from '../command/lock-files.ts'
import { git } from '../command/run.ts'
import { type OwnRepository, openOwnRepository } from '../untrusted/isolated-repository.ts'

const LOCAL_FETCH_TIMEOUT_MS = 10 * 60_000
/** An agent's git holds a lock file for milliseconds; one this old was left by a process that was killed. */
const STALE_LOCK_MS = 60_000
const WAIT_FOR_LOCKS = ['core.filesRefLockTimeout=5000', 'core.packedRefsTimeout=10000', 'fetch.unpackLimit=1']

const damaged = (directory: string, what: string): SwitchyardError =>
  new SwitchyardError('repository_unavailable', `the repository in ${directory} is damaged: ${what}`, {
    hint: 'Move that directory away; where it is the shared clone of a project, the next task makes it again from the mirror.',
    retryable: false,
  })

/**
 * Looks whether what we are about to write through is what we made: directories, and no links out of the clone.
 *
 * @throws SwitchyardError `repository_unavailable`, saying what an agent did to it
 */
export const inspectClone = async (directory: string): Promise<void> =>
  await inspectGitDir(path.join(directory, '.git'), directory)

/** As `inspectClone`, for a git directory of any name. @param directory - what it is called in a message */
export const inspectGitDir = async (gitDir: string, directory: string): Promise<void> => {
  const kindOf = async (name: string) => {
    const found = await lstat(path.join(gitDir, name)).catch(() => undefined)
    return found === undefined ? 'missing' : found.isDirectory() ? 'directory' : found.isFile() ? 'file' : 'other'
  }
  for (const name of ['.', 'objects', 'refs'])
    if ((await kindOf(name)) !== 'directory') throw damaged(directory, `.git/${name} is no directory`)
  for (const name of ['worktrees', 'objects/pack', 'objects/info'])
    if (!['directory', 'missing'].includes(await kindOf(name))) throw damaged(directory, `.git/${name} is no directory`)
  for (const name of ['packed-refs', 'shallow'])
    if (!['file', 'missing'].includes(await kindOf(name))) throw damaged(directory, `.git/${name} is no file`)
  // It would lend the objects of any repository that the worker can read.
  if ((await kindOf('objects/info/alternates')) !== 'missing') throw damaged(directory, 'it borrows objects')
  const refs = await readdir(path.join(gitDir, 'refs'), { recursive: true, withFileTypes: true })
  if (refs.some((entry) => !entry.isDirectory() && !entry.isFile())) throw damaged(directory, 'a ref is a link')
}

/** `created`: false where a branch of that name, or one that its name is a part of, is there already. */
type Creation = 'created' | 'exists' | 'no-such-commit'

export class SharedClone {
  readonly directory: string
  readonly #mirror: string
  readonly #displayUrl: string

  constructor(directory: string, mirror: string, displayUrl: string) {
    this.directory = path.resolve(directory)
    this.#mirror = mirror
    this.#displayUrl = displayUrl
  }

  get gitDirectory(): string {
    return path.join(this.directory, '.git')
  }

  /** Brings it up to what the mirror has; makes it where it is not. Only under the repository's lock. */
  async update(signal: AbortSignal): Promise<void> {
    if (!existsSync(this.directory)) await this.#make(signal)
    await this.#withOwn(async (own) => {
      // Tags are followed, not mirrored: a tag that an agent made is not ours to prune.
      const fetch = () =>
        own.git(
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
            this.#mirror,
            '+refs/heads/*:refs/remotes/origin/*',
          ],
          { config: WAIT_FOR_LOCKS, timeoutMs: LOCAL_FETCH_TIMEOUT_MS, signal },
        )
      await fetch().catch(async (error: unknown) => {
        if (!(await removeLockFiles(this.gitDirectory, error, STALE_LOCK_MS))) throw error
        await fetch()
      })
    })
  }

  async #make(signal: AbortSignal): Promise<void> {
    const fresh = `${this.directory}.new`
    await rm(fresh, { recursive: true, force: true })
    await mkdir(fresh, { recursive: true }).catch((error: unknown) => {
      throw fromFileError(error, fresh)
    })
    const at = { cwd: fresh, signal }
    // Nothing is checked out in its main tree: HEAD names a branch that nobody makes.
    await git(['init', '--quiet', '--template=', '--initial-branch=switchyard-none', '.'], at)
    // For people and tools that look; the worker fetches from the mirror alone.
    await git(['config', 'remote.origin.url', this.#displayUrl], at)
    await git(['config', 'remote.origin.fetch', '+refs/heads/*:refs/remotes/origin/*'], at)
    await rename(fresh, this.directory)
  }

  /** Makes a branch, in one step that only one caller can win. */
  async createBranch(branch: string, commit: string, signal?: AbortSignal): Promise<Creation> {
    const { code, stderr } = await this.#withOwn((own) =>
      own.git(['update-ref', '--end-of-options', `refs/heads/${branch}`, commit, '0'.repeat(commit.length)], {
        config: WAIT_FOR_LOCKS,
        okCodes: [0, 128],
        ...(signal ? { signal } : {}),
      }),
    )
    if (code === 0) return 'created'
    if (/already exists|' exists; cannot create|cannot create '/.test(stderr)) return 'exists'
    if (/nonexistent object/.test(stderr)) return 'no-such-commit'
    throw damaged(this.directory, stderr.trim().split('\n')[0]?.slice(0, 200) ?? 'a branch cannot be made')
  }

  /** One that is not there is as good. */
  async deleteBranch(branch: string): Promise<void> {
    await this.#withOwn((own) =>
      own.git(['update-ref', '-d', '--end-of-options', `refs/heads/${branch}`], { config: WAIT_FOR_LOCKS }),
    )
  }

  /** The commit that a ref names, if there is such a ref. */
  async resolve(ref: string, signal?: AbortSignal): Promise<string | undefined> {
    const { code, stdout } = await this.#withOwn((own) =>
      own.git(['rev-parse', '--quiet', '--verify', '--end-of-options', `${ref}^{commit}`], {
        okCodes: [0, 1, 128],
        ...(signal ? { signal } : {}),
      }),
    )
    return code === 0 ? stdout.toString('utf8').trim() : undefined
  }

  /** Brings in one commit that no branch leads to, such as that of a tag. */
  async bring(commit: string, signal?: AbortSignal): Promise<void> {
    await this.#withOwn((own) =>
      own.git(
        ['fetch', '--quiet', '--no-tags', '--no-write-fetch-head', '--no-auto-maintenance', '--', this.#mirror, commit],
        {
          config: WAIT_FOR_LOCKS,
          timeoutMs: LOCAL_FETCH_TIMEOUT_MS,
          ...(signal ? { signal } : {}),
        },
      ),
    )
  }

  async #withOwn<T>(work: (own: OwnRepository) => Promise<T>): Promise<T> {
    await inspectClone(this.directory)
    const own = await openOwnRepository({ linkTo: this.gitDirectory })
    try {
      return await work(own)
    } finally {
      await own.close()
    }
  }
}
