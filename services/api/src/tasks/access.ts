// Finds a task for a caller: an agent's key sees the tasks it made, an operator's all.

import { SwitchyardError, type TaskId, taskIdSchema } from '@switchyard/contracts'
import { findTaskRow, type Records, type TaskRow } from '@switchyard/records'
import type { Caller } from '../caller.ts'

const notFound = (id: string): SwitchyardError =>
  new SwitchyardError('task_not_found', `there is no task ${id.slice(0, 60)}`)

/** A text as a task id. What is no id is no task either. @throws SwitchyardError `task_not_found` */
const toTaskId = (id: string): TaskId => {
  const parsed = taskIdSchema.safeParse(id)
  if (!parsed.success) throw notFound(id)
  return parsed.data
}

/** Another's task is answered like one that does not exist. @throws SwitchyardError `task_not_found` */
export const findOwnTask = async (records: Records, caller: Caller, id: string): Promise<TaskRow> => {
  const row = await findTaskRow(records.db, toTaskId(id))
  if (!row || (caller.role === 'agent' && row.owner_key !== caller.name)) throw notFound(id)
  return row
}
