// The project_offers table: the models and agents of a project whose OpenCode configuration differs from its server's.

import type { AvailableModels } from '@switchyard/contracts'
import { type Selectable, sql } from 'kysely'
import { guarded } from './errors.ts'
import { toJson } from './json.ts'
import type { AvailableModelsTable, Db } from './schema.ts'

export type AvailableModelsRow = Selectable<AvailableModelsTable>

/** @param found - `models` null: those of the server apply; undefined: no server answered, so the stored ones stay. */
export const saveAvailableModels = guarded(
  async (
    db: Db,
    projectId: string,
    found: { readonly models: AvailableModels | null | undefined; readonly branch: string | null },
  ): Promise<void> => {
    const { models, branch } = found
    const set = { branch, ...(models === undefined ? {} : { offer: models === null ? null : toJson(models) }) }
    await db
      .insertInto('project_offers')
      .values({ project_id: projectId, offer: null, ...set })
      .onConflict((conflict) => conflict.column('project_id').doUpdateSet({ ...set, looked_at: sql<Date>`now()` }))
      .execute()
  },
)

/** By project. */
export const readAvailableModels = guarded(
  async (db: Db, projectIds: readonly string[]): Promise<ReadonlyMap<string, AvailableModelsRow>> => {
    if (projectIds.length === 0) return new Map()
    const rows = await db.selectFrom('project_offers').selectAll().where('project_id', 'in', projectIds).execute()
    return new Map(rows.map((row) => [row.project_id, row]))
  },
)
