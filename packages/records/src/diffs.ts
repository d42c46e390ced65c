// The task_diffs table: what a task had changed when it ended.

import { type FileDiff, SwitchyardError, type TaskDiff, type TaskId } from '@switchyard/contracts'
import { guarded } from './errors.ts'
import { storable, toJson } from './json.ts'
import type { Db } from './schema.ts'

export type StoredDiff = { readonly diff: string; readonly files: readonly FileDiff[]; readonly truncated: boolean }

export const storeDiff = guarded(async (db: Db, id: TaskId, found: StoredDiff): Promise<void> => {
  const row = { diff: storable(found.diff), files: toJson(found.files), truncated: found.truncated }
  await db
    .insertInto('task_diffs')
    .values({ task_id: id, ...row })
    .onConflict((conflict) => conflict.column('task_id').doUpdateSet(row))
    .execute()
})

/**
 * Returns the diff as it was when the task ended.
 *
 * @throws SwitchyardError `workspace_gone` where none was stored; `database_unavailable`
 */
export const readStoredDiff = guarded(async (db: Db, id: TaskId): Promise<TaskDiff> => {
  const found = await db
    .selectFrom('task_diffs')
    .select(['diff', 'files', 'truncated'])
    .where('task_id', '=', id)
    .executeTakeFirst()
  if (!found)
    throw new SwitchyardError('workspace_gone', `${id} has no stored diff, and its working directory is removed`)
  return { task_id: id, diff: found.diff, files: [...found.files], truncated: found.truncated }
})
