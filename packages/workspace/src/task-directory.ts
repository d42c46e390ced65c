// Finds the working directory of a task on this host.

import { SwitchyardError } from '@switchyard/contracts'
import { recordedDirectory, type TaskRow } from '@switchyard/records'
import type { Layout } from './layout.ts'

/**
 * Returns the working directory of a task, to read from. Only a directory that a worker recorded below WORKSPACES_DIR is
 * ever read, never one that a caller names.
 *
 * @throws SwitchyardError `workspace_unavailable`, `workspace_gone`
 */
export const taskDirectory = (layout: Layout, row: TaskRow): string => {
  const directory = recordedDirectory(row)
  if (layout.contains(directory)) return directory
  throw new SwitchyardError('workspace_gone', `the working directory of ${row.id} is not on this host`)
}
