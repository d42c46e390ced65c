// Creates, links and removes the files of linked worktrees, in git's documented layout (gitrepository-layout).
// `git worktree add` would run git in the shared clone, with whatever an agent configured there.

import { lstat, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { SwitchyardError, systemErrorCode } from '@switchyard/contracts'
import type { Mirror } from '../clones/mirror.ts'
import type { SharedClone } from '../clones/shared-clone.ts'
import { type GitDirectory, isRealDirectory } from '../untrusted/git-directory.ts'
import { inspectClone } from '../untrusted/inspect-git-directory.ts'
import { type IsolatedRepository, openIsolatedRepository } from '../untrusted/isolated-repository.ts'
import { readUntrustedFile } from '../untrusted/read-untrusted-file.ts'
import type { DirectoryFiles } from './directory-files.ts'
import { type StagingDirectories, targetExists } from './staging-directories.ts'
import type { WorktreeRecord } from './worktree-records.ts'

const CHECKOUT_TIMEOUT_MS = 10 * 60_000
export type WorktreeFilesOptions = {
  readonly mirror: Mirror
  readonly shared: SharedClone
  readonly staging: StagingDirectories
}

export class WorktreeFiles implements DirectoryFiles {
  readonly #mirror: Mirror
  readonly #shared: SharedClone
  readonly #staging: StagingDirectories

  constructor({ mirror, shared, staging }: WorktreeFilesOptions) {
    this.#mirror = mirror
    this.#shared = shared
    this.#staging = staging
  }

  gitDirectoryOf({ id }: WorktreeRecord): GitDirectory {
    const commonDir = this.#shared.gitDirectory
    return { gitDir: path.join(commonDir, 'worktrees', id), commonDir }
  }

  #gitFile(record: WorktreeRecord): string {
    return `gitdir: ${this.gitDirectoryOf(record).gitDir}`
  }

  async isComplete(record: WorktreeRecord): Promise<boolean> {
    return (await readUntrustedFile(path.join(record.directory, '.git'))).trim() === this.#gitFile(record)
  }

  async create(record: WorktreeRecord, start: string, signal: AbortSignal | undefined): Promise<void> {
    const { directory } = record
    let index: Buffer | undefined
    const isCreated = await this.#staging.create(directory, async (fresh) => {
      const isolated = await this.#openIsolated(start, fresh)
      try {
        const options = { timeoutMs: CHECKOUT_TIMEOUT_MS, ...(signal ? { signal } : {}) }
        await isolated.git(['read-tree', '-u', '--reset', start], options)
        index = await readFile(path.join(isolated.directory, 'index'))
        await writeFile(path.join(fresh, '.git'), `${this.#gitFile(record)}\n`)
      } finally {
        await isolated.close()
      }
    })
    // The directory comes before the entry in `.git/worktrees`: an agent's `git worktree prune` deletes entries whose
    // directory does not exist.
    if (isCreated && index) return await this.#writeEntry(record, start, index)
    if (!(await this.isComplete(record)))
      throw new SwitchyardError('directory_unwritable', `${directory} exists and is not a worktree`)
    await this.restore(record)
  }

  async #openIsolated(commit: string, workTree: string): Promise<IsolatedRepository> {
    await inspectClone(this.#shared.directory)
    return await openIsolatedRepository({
      // The mirror comes first, because agents can replace objects in the shared clone.
      objectDirs: [this.#mirror.objectDirectory, path.join(this.#shared.gitDirectory, 'objects')],
      workTree,
      isSha256: commit.length === 64,
    })
  }

  /** Writes the worktree's entry in `.git/worktrees` of the shared clone. */
  async #writeEntry(record: WorktreeRecord, start: string, index: Buffer): Promise<void> {
    await inspectClone(this.#shared.directory)
    const fresh = await mkdtemp(path.join(this.#shared.gitDirectory, 'switchyard-'))
    const former = `${fresh}.former`
    try {
      await Promise.all([
        writeFile(path.join(fresh, 'HEAD'), `ref: refs/heads/${record.branch}\n`),
        writeFile(path.join(fresh, 'ORIG_HEAD'), `${start}\n`),
        writeFile(path.join(fresh, 'commondir'), '../..\n'),
        writeFile(path.join(fresh, 'gitdir'), `${path.join(record.directory, '.git')}\n`),
        writeFile(path.join(fresh, 'index'), index),
      ])
      const { gitDir } = this.gitDirectoryOf(record)
      await mkdir(path.dirname(gitDir), { recursive: true })
      // Moves an entry of a former directory out of the way. Concurrent callers write the same entry, so any of them
      // may stay.
      await rename(gitDir, former).catch((error: unknown) => {
        if (systemErrorCode(error) !== 'ENOENT') throw error
      })
      await rename(fresh, gitDir).catch((error: unknown) => {
        if (!targetExists(error)) throw error
      })
    } finally {
      await rm(former, { recursive: true, force: true })
      await rm(fresh, { recursive: true, force: true })
    }
  }

  async restore(record: WorktreeRecord): Promise<void> {
    const file = path.join(record.directory, '.git')
    if (!(await isRealDirectory(this.gitDirectoryOf(record).gitDir))) {
      const commit = (await this.#shared.resolve(`refs/heads/${record.branch}`)) ?? record.baseCommit
      const isolated = await this.#openIsolated(commit, record.directory)
      try {
        await isolated.git(['read-tree', commit])
        await this.#writeEntry(record, commit, await readFile(path.join(isolated.directory, 'index')))
      } finally {
        await isolated.close()
      }
    }
    if (!(await lstat(file).catch(() => undefined))) await writeFile(file, `${this.#gitFile(record)}\n`, { flag: 'wx' })
  }

  async remove(record: WorktreeRecord): Promise<void> {
    const { directory } = record
    await rm(directory, { recursive: true, force: true })
    await this.#staging.removeAbandoned(directory, 0)
    const { gitDir } = this.gitDirectoryOf(record)
    if (await isRealDirectory(path.dirname(gitDir))) await rm(gitDir, { recursive: true, force: true })
  }
}
