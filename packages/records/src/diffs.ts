// The task_diffs table: what a task had changed when it ended.

import type { FileDiff, TaskId } from '@switchyard/contracts'
import { guarded } from './errors.ts'
import { storable, toJson } from './json.ts'
import type { Db } from './schema.ts'

export type KeptDiff = { readonly diff: string; readonly files: readonly FileDiff[]; readonly truncated: boolean }

export const keepDiff = guarded(async (db: Db, id: TaskId, kept: KeptDiff): Promise<void> => {
  const row = { diff: storable(kept.diff), files: toJson(kept.files), truncated: kept.truncated }
  await db
    .insertInto('task_diffs')
    .values({ task_id: id, ...row })
    .onConflict((conflict) => conflict.column('task_id').doUpdateSet(row))
    .execute()
})

export const findDiff = guarded(
  async (db: Db, id: TaskId): Promise<KeptDiff | undefined> =>
    db.selectFrom('task_diffs').select(['diff', 'files', 'truncated']).where('task_id', '=', id).executeTakeFirst(),
)
