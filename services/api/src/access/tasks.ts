// Finds a task that the caller may access.

import { SwitchyardError, type TaskId, taskIdSchema } from '@switchyard/contracts'
import { findTaskRow, type Records, type TaskRow } from '@switchyard/records'
import { type Caller, mayAccess } from './caller.ts'

const notFound = (id: string): SwitchyardError =>
  new SwitchyardError('task_not_found', `task ${id.slice(0, 60)} does not exist`)

const parseTaskId = (id: string): TaskId => {
  const parsed = taskIdSchema.safeParse(id)
  if (!parsed.success) throw notFound(id)
  return parsed.data
}

/**
 * Returns the task's row.
 *
 * @throws SwitchyardError `task_not_found`, also for another key's task: an agent does not learn that it exists
 */
export const findAccessibleTask = async (records: Records, caller: Caller, id: string): Promise<TaskRow> => {
  const row = await findTaskRow(records.db, parseTaskId(id))
  if (!row || !mayAccess(caller, row.owner_key)) throw notFound(id)
  return row
}
