// Creates a working directory under another name, so that it appears only when it is complete, and removes what a crash
// left.

import { lstat, mkdir, readdir, rename, rm } from 'node:fs/promises'
import path from 'node:path'
import { fromFileError, systemErrorCode } from '@switchyard/contracts'
import { isStagingOf, stagingPath } from '../command/staging.ts'

/** A staging directory of this age was left by a crash. */
const ABANDONED_MS = 3_600_000

/** Returns true when the target of a rename exists and is not empty. */
export const targetExists = (error: unknown): boolean => ['ENOTEMPTY', 'EEXIST'].includes(systemErrorCode(error) ?? '')

const stagingDirectoriesOf = async (directory: string): Promise<readonly string[]> => {
  const parent = path.dirname(directory)
  const names = await readdir(parent).catch(() => [])
  return names.filter((name) => isStagingOf(path.basename(directory), name)).map((name) => path.join(parent, name))
}

export class StagingDirectories {
  readonly #isWorktree: (directory: string) => Promise<boolean>

  /** @param isWorktree - returns true for a working directory of any repository */
  constructor(isWorktree: (directory: string) => Promise<boolean>) {
    this.#isWorktree = isWorktree
  }

  /**
   * Creates a directory.
   *
   * @param fill - creates its files
   * @returns false when the directory exists already; it stays as it is
   */
  async create(directory: string, fill: (fresh: string) => Promise<void>): Promise<boolean> {
    await this.removeAbandoned(directory)
    const fresh = stagingPath(directory)
    try {
      await mkdir(fresh, { recursive: true })
      await fill(fresh)
      await rename(fresh, directory)
      return true
    } catch (error) {
      if (targetExists(error)) return false
      throw fromFileError(error, directory)
    } finally {
      await rm(fresh, { recursive: true, force: true })
    }
  }

  /** Removes the staging directories of a directory. */
  async removeAbandoned(directory: string, olderThanMs = ABANDONED_MS): Promise<void> {
    for (const staging of await stagingDirectoriesOf(directory)) {
      const found = await lstat(staging).catch(() => undefined)
      if (found === undefined || Date.now() - found.mtimeMs < olderThanMs) continue
      // A caller may have chosen such a name for a worktree, of this or of another project.
      if (!(await this.#isWorktree(staging))) await rm(staging, { recursive: true, force: true })
    }
  }
}
