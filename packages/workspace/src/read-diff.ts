// Reads what a task has changed: from its working directory, or from the record once the directory is removed.

import { type FileDiff, isSwitchyardError, isTerminal, SwitchyardError, type TaskDiff } from '@switchyard/contracts'
import { diffAgainst, type Repositories } from '@switchyard/git'
import { type Records, readStoredDiff, type TaskRow } from '@switchyard/records'
import type { Layout } from './layout.ts'
import { objectDirectories } from './object-directories.ts'
import { taskDirectory } from './task-directory.ts'

const MAX_BYTES = 4 * 1_048_576

export type DiffDeps = {
  readonly records: Records
  readonly repositories: Pick<Repositories, 'objectDirectories'>
  readonly layout: Layout
}

/**
 * Returns the unified diff of a task against the commit where it began, 4 MiB at most, with the changed files.
 *
 * @throws SwitchyardError `workspace_unavailable`, `workspace_gone`, `invalid_project`, `database_unavailable`, `call_timeout`
 */
export const readDiff = async (deps: DiffDeps, row: TaskRow, signal?: AbortSignal): Promise<TaskDiff> => {
  const { records, layout } = deps
  if (row.workspace_removed_at !== null) return await readStoredDiff(records.db, row.id)
  const directory = taskDirectory(layout, row)
  if (row.base_commit === null)
    throw new SwitchyardError('workspace_unavailable', `${row.id} has not begun: there is nothing to compare with`)
  const compared = diffAgainst({
    directory,
    base: row.base_commit,
    objectDirs: await objectDirectories(deps, row),
    maxBytes: MAX_BYTES,
    ...(signal ? { signal } : {}),
  })
  const found = await compared.catch((error: unknown) => {
    // The directory is removed before the record says so; the diff was stored when the task ended.
    if (isTerminal(row.status) && isSwitchyardError(error, 'workspace_gone')) return readStoredDiff(records.db, row.id)
    throw error
  })
  return {
    task_id: row.id,
    diff: found.diff,
    files: found.files.map((file): FileDiff => ({ ...file })),
    truncated: found.truncated,
  }
}
