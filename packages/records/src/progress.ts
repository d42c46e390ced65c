// How far tasks are: the few columns that those who follow tasks ask for again and again.

import type { Status, TaskId } from '@switchyard/contracts'
import { guarded } from './errors.ts'
import type { Db } from './schema.ts'

export type Progress = { readonly id: TaskId; readonly status: Status; readonly last_seq: number }

/** One query for all of them; a task that does not exist is left out. */
export const readProgress = guarded(
  async (db: Db, ids: readonly TaskId[]): Promise<readonly Progress[]> =>
    ids.length === 0
      ? []
      : db.selectFrom('tasks').select(['id', 'status', 'last_seq']).where('id', 'in', ids).execute(),
)
