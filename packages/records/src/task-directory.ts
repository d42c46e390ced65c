// Reads the working directory from a task's row.

import { isTerminal, SwitchyardError } from '@switchyard/contracts'
import type { TaskRow } from './rows.ts'

/**
 * Returns the working directory on a task's record.
 *
 * @throws SwitchyardError `workspace_gone` after the directory was removed; `workspace_unavailable` before it exists, not
 *   retryable where the task ended without one
 */
export const recordedDirectory = (
  row: Pick<TaskRow, 'id' | 'status' | 'directory' | 'workspace_removed_at'>,
): string => {
  if (row.workspace_removed_at !== null)
    throw new SwitchyardError(
      'workspace_gone',
      `the working directory of ${row.id} was removed after its retention time`,
    )
  if (row.directory !== null) return row.directory
  throw isTerminal(row.status)
    ? new SwitchyardError('workspace_unavailable', `${row.id} ended before it had a working directory`, {
        retryable: false,
        hint: 'Read the error on the record: it says why the task ended.',
      })
    : new SwitchyardError('workspace_unavailable', `${row.id} is ${row.status} and has no working directory yet`)
}
