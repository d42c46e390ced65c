// What a task has changed: read in its working directory, or as it was kept when the task ended.

import path from 'node:path'
import { type FileDiff, isSwitchyardError, isTerminal, SwitchyardError, type TaskDiff } from '@switchyard/contracts'
import { diffAgainst, parseRepositoryUrl } from '@switchyard/git'
import { findDiff, findProject, type Records, type TaskRow } from '@switchyard/records'

const DIFF_BYTES = 4 * 1_048_576

export type DiffDeps = { readonly records: Records; readonly workspacesDir: string }

const isInside = (root: string, directory: string): boolean => {
  const relative = path.relative(root, directory)
  return relative !== '' && !relative.startsWith('..') && !path.isAbsolute(relative)
}

/**
 * The working directory of a task. Only directories of our own records, and only where workers make them: never one that a
 * caller names.
 *
 * @throws SwitchyardError `workspace_unavailable`, `workspace_gone`
 */
export const directoryOf = (workspacesDir: string, row: TaskRow): string => {
  if (row.workspace_removed_at !== null)
    throw new SwitchyardError('workspace_gone', `the working directory of ${row.id} was removed after its time`)
  if (row.directory === null)
    throw isTerminal(row.status)
      ? new SwitchyardError('workspace_unavailable', `${row.id} ended before it had a working directory`, {
          retryable: false,
          hint: 'There is nothing to see: the record’s error says why it ended.',
        })
      : new SwitchyardError('workspace_unavailable', `${row.id} is ${row.status} and has no working directory yet`)
  if (isInside(workspacesDir, row.directory)) return row.directory
  throw new SwitchyardError('workspace_gone', `the working directory of ${row.id} is not on this host`)
}

/** Where the commits of a task are: in its project's shared clone, in a repository of its own, or in both. */
const objectDirsOf = async (deps: DiffDeps, row: TaskRow, directory: string): Promise<readonly string[]> => {
  const own = path.join(directory, '.git', 'objects')
  if (row.project_id === null) return [own]
  const project = await findProject(deps.records.db, row.project_id)
  if (!project) throw new SwitchyardError('workspace_gone', `the project of ${row.id} is no longer known`)
  const { slug } = parseRepositoryUrl(project.url)
  const shared = path.join(deps.workspacesDir, 'repos', slug, '.git', 'objects')
  return row.mode === 'docker' ? [shared, own] : [shared]
}

/** The diff as it was when the task ended. */
const keptDiff = async ({ records }: DiffDeps, row: TaskRow): Promise<TaskDiff> => {
  const kept = await findDiff(records.db, row.id)
  if (!kept) throw new SwitchyardError('workspace_gone', `${row.id} left no diff, and its working directory is gone`)
  return { task_id: row.id, diff: kept.diff, files: [...kept.files], truncated: kept.truncated }
}

/** @throws SwitchyardError `workspace_unavailable`, `workspace_gone`, `database_unavailable` */
export const readDiff = async (deps: DiffDeps, row: TaskRow, signal?: AbortSignal): Promise<TaskDiff> => {
  if (row.workspace_removed_at !== null) return await keptDiff(deps, row)
  const directory = directoryOf(deps.workspacesDir, row)
  if (row.base_commit === null)
    throw new SwitchyardError('workspace_unavailable', `${row.id} has not begun: there is nothing to compare with`)
  const compared = diffAgainst({
    directory,
    base: row.base_commit,
    objectDirs: await objectDirsOf(deps, row, directory),
    maxBytes: DIFF_BYTES,
    ...(signal ? { signal } : {}),
  })
  const found = await compared.catch((error: unknown) => {
    // The directory goes before its record says so; what it held was kept when the task ended.
    if (isTerminal(row.status) && isSwitchyardError(error, 'workspace_gone')) return keptDiff(deps, row)
    throw error
  })
  return {
    task_id: row.id,
    diff: found.diff,
    files: found.files.map((file): FileDiff => ({ ...file })),
    truncated: found.truncated,
  }
}
