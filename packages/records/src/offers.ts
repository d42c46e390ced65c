// The project_offers table: what OpenCode offers in a project, where that may differ from what its server offers.

import type { Offer } from '@switchyard/contracts'
import { type Selectable, sql } from 'kysely'
import { guarded } from './errors.ts'
import { toJson } from './json.ts'
import type { Db, OffersTable } from './schema.ts'

export type OfferRow = Selectable<OffersTable>

/** @param found - an offer of null: what the server offers holds; undefined: nobody could be asked, so what was known stays. */
export const saveOffer = guarded(
  async (
    db: Db,
    projectId: string,
    found: { readonly offer: Offer | null | undefined; readonly branch: string | null },
  ): Promise<void> => {
    const { offer, branch } = found
    const set = { branch, ...(offer === undefined ? {} : { offer: offer === null ? null : toJson(offer) }) }
    await db
      .insertInto('project_offers')
      .values({ project_id: projectId, offer: null, ...set })
      .onConflict((conflict) => conflict.column('project_id').doUpdateSet({ ...set, looked_at: sql<Date>`now()` }))
      .execute()
  },
)

/** By project. */
export const readOffers = guarded(
  async (db: Db, projectIds: readonly string[]): Promise<ReadonlyMap<string, OfferRow>> => {
    if (projectIds.length === 0) return new Map()
    const rows = await db.selectFrom('project_offers').selectAll().where('project_id', 'in', projectIds).execute()
    return new Map(rows.map((row) => [row.project_id, row]))
  },
)
