// How the files of a working directory are created, restored and removed: one implementation for linked worktrees of the
// shared clone, one for clones.

import type { GitDirectory } from '../untrusted/git-directory.ts'
import type { WorktreeRecord } from './worktree-records.ts'

export type DirectoryFiles = {
  /** Returns where git stores the data of the directory, whatever an agent wrote there. */
  readonly gitDirectoryOf: (record: WorktreeRecord) => GitDirectory
  /** Returns true when the directory has its files and its repository. */
  readonly isComplete: (record: WorktreeRecord) => Promise<boolean>
  /**
   * Creates the files. They are created under another name first, so that the directory appears only when it is complete.
   * If a concurrent caller creates the same directory first, that one stays.
   *
   * @param start - the commit to check out
   */
  readonly create: (record: WorktreeRecord, start: string, signal: AbortSignal | undefined) => Promise<void>
  /** Restores what git needs, if an agent deleted it. Other files stay as they are. */
  readonly restore: (record: WorktreeRecord) => Promise<void>
  /** Removes the directory and what git stores for it elsewhere. If the directory is a link, only the link goes. */
  readonly remove: (record: WorktreeRecord) => Promise<void>
}
