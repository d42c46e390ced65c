// The projects table: one identity per repository.

import type { Selectable } from 'kysely'
import { guarded } from './errors.ts'
import type { Db, ProjectsTable } from './schema.ts'

export type ProjectRow = Selectable<ProjectsTable>

export const findProject = guarded(
  async (db: Db, id: string): Promise<ProjectRow | undefined> =>
    db.selectFrom('projects').selectAll().where('id', '=', id).executeTakeFirst(),
)
