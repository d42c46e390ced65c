// Creates, links and removes the files of linked worktrees, in git's documented layout (gitrepository-layout).
// `git worktree add` would run git in the shared clone, with whatever an agent configured there.

import { copyFile, lstat, mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { fromFileError, systemErrorCode } from '@switchyard/contracts'
import type { Mirror } from '../clones/mirror.ts'
import type { SharedClone } from '../clones/shared-clone.ts'
import { isStagingOf, stagingPath } from '../command/staging.ts'
import { type GitDirectory, isRealDirectory } from '../untrusted/git-directory.ts'
import { inspectClone } from '../untrusted/inspect-git-directory.ts'
import { type IsolatedRepository, openIsolatedRepository } from '../untrusted/isolated-repository.ts'
import { readUntrustedFile } from '../untrusted/read-untrusted-file.ts'
import type { WorktreeRecord } from './worktree-records.ts'

const CHECKOUT_TIMEOUT_MS = 10 * 60_000
/** A staging directory of this age was left by a crash. */
const ABANDONED_MS = 3_600_000

export type WorktreeFilesOptions = {
  readonly mirror: Mirror
  readonly shared: SharedClone
  /** Returns true when a directory is a worktree of any repository. */
  readonly isWorktree: (directory: string) => Promise<boolean>
}

/** Returns true when the target of a rename exists and is not empty. */
const targetExists = (error: unknown): boolean => ['ENOTEMPTY', 'EEXIST'].includes(systemErrorCode(error) ?? '')

const stagingDirectoriesOf = async (directory: string): Promise<readonly string[]> => {
  const parent = path.dirname(directory)
  const names = await readdir(parent).catch(() => [])
  return names.filter((name) => isStagingOf(path.basename(directory), name)).map((name) => path.join(parent, name))
}

export class WorktreeFiles {
  readonly #mirror: Mirror
  readonly #shared: SharedClone
  readonly #isWorktree: WorktreeFilesOptions['isWorktree']

  constructor({ mirror, shared, isWorktree }: WorktreeFilesOptions) {
    this.#mirror = mirror
    this.#shared = shared
    this.#isWorktree = isWorktree
  }

  /** Returns where git stores the data of a worktree, whatever an agent wrote to the worktree's `.git` file. */
  gitDirectoryOf(id: string): GitDirectory {
    const commonDir = this.#shared.gitDirectory
    return { gitDir: path.join(commonDir, 'worktrees', id), commonDir }
  }

  #gitFile(id: string): string {
    return `gitdir: ${this.gitDirectoryOf(id).gitDir}`
  }

  /** Returns true when the directory is linked to the shared clone as this worktree. */
  async isLinked({ directory, id }: WorktreeRecord): Promise<boolean> {
    return (await readUntrustedFile(path.join(directory, '.git'))).trim() === this.#gitFile(id)
  }

  /**
   * Creates the files of a worktree. They are created under another name first, so that the directory appears only
   * when it is complete. If a concurrent caller creates the same worktree first, that one stays.
   *
   * @param start - the commit to check out
   */
  async create(record: WorktreeRecord, start: string, signal: AbortSignal | undefined): Promise<void> {
    const { directory } = record
    await this.#removeStaging(directory, ABANDONED_MS)
    const fresh = stagingPath(directory)
    const isolated = await this.#openIsolated(start, fresh)
    try {
      await mkdir(fresh, { recursive: true })
      await isolated.git(['read-tree', '-u', '--reset', start], {
        timeoutMs: CHECKOUT_TIMEOUT_MS,
        ...(signal ? { signal } : {}),
      })
      await writeFile(path.join(fresh, '.git'), `${this.#gitFile(record.id)}\n`)
      // The directory comes before the entry in `.git/worktrees`: an agent's `git worktree prune` deletes entries whose
      // directory does not exist.
      await rename(fresh, directory)
      await this.#writeEntry(record, start, path.join(isolated.directory, 'index'))
    } catch (error) {
      const isCreatedByOther = targetExists(error) && (await this.isLinked(record))
      if (!isCreatedByOther) throw fromFileError(error, directory)
      await this.relink(record)
    } finally {
      await isolated.close()
      await rm(fresh, { recursive: true, force: true })
    }
  }

  async #removeStaging(directory: string, olderThanMs: number): Promise<void> {
    for (const staging of await stagingDirectoriesOf(directory)) {
      const found = await lstat(staging).catch(() => undefined)
      if (found === undefined || Date.now() - found.mtimeMs < olderThanMs) continue
      // A caller may have chosen such a name for a worktree, of this or of another project.
      if (!(await this.#isWorktree(staging))) await rm(staging, { recursive: true, force: true })
    }
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
  async #writeEntry(record: WorktreeRecord, start: string, index: string): Promise<void> {
    await inspectClone(this.#shared.directory)
    const fresh = await mkdtemp(path.join(this.#shared.gitDirectory, 'switchyard-'))
    const former = `${fresh}.former`
    try {
      await Promise.all([
        writeFile(path.join(fresh, 'HEAD'), `ref: refs/heads/${record.branch}\n`),
        writeFile(path.join(fresh, 'ORIG_HEAD'), `${start}\n`),
        writeFile(path.join(fresh, 'commondir'), '../..\n'),
        writeFile(path.join(fresh, 'gitdir'), `${path.join(record.directory, '.git')}\n`),
        copyFile(index, path.join(fresh, 'index')),
      ])
      const { gitDir } = this.gitDirectoryOf(record.id)
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

  /** Restores what links a directory to the shared clone, if an agent deleted it. Other files stay as they are. */
  async relink(record: WorktreeRecord): Promise<void> {
    const file = path.join(record.directory, '.git')
    if (!(await isRealDirectory(this.gitDirectoryOf(record.id).gitDir))) {
      const commit = (await this.#shared.resolve(`refs/heads/${record.branch}`)) ?? record.baseCommit
      const isolated = await this.#openIsolated(commit, record.directory)
      try {
        await isolated.git(['read-tree', commit])
        await this.#writeEntry(record, commit, path.join(isolated.directory, 'index'))
      } finally {
        await isolated.close()
      }
    }
    if (!(await lstat(file).catch(() => undefined)))
      await writeFile(file, `${this.#gitFile(record.id)}\n`, { flag: 'wx' })
  }

  /** Removes a worktree's directory and its entry in the shared clone. If the directory is a link, only the link goes. */
  async remove({ directory, id }: WorktreeRecord): Promise<void> {
    await rm(directory, { recursive: true, force: true })
    await this.#removeStaging(directory, 0)
    const { gitDir } = this.gitDirectoryOf(id)
    if (await isRealDirectory(path.dirname(gitDir))) await rm(gitDir, { recursive: true, force: true })
  }
}
