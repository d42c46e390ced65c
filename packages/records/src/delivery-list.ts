// The deliveries table from the side that looks: lists, and sending again by hand.

import { DELIVERY_FAILURES, type Delivery, type DeliveryState } from '@switchyard/contracts'
import { sql } from 'kysely'
import type { DeliveryRow } from './deliveries.ts'
import { guarded } from './errors.ts'
import type { Db } from './schema.ts'

const isoOrNull = (time: Date | null): string | null => time?.toISOString() ?? null

export const toDelivery = (row: DeliveryRow): Delivery => ({
  delivery_id: row.id,
  state: row.state,
  task_id: row.task_id,
  seq: row.seq,
  type: row.type,
  destination: row.destination,
  attempts: row.attempts,
  created_at: row.created_at.toISOString(),
  last_attempt_at: isoOrNull(row.last_attempt_at),
  next_attempt_at: row.state === 'pending' ? row.next_attempt_at.toISOString() : null,
  delivered_at: isoOrNull(row.delivered_at),
  failure: row.failure && { ...row.failure, hint: DELIVERY_FAILURES[row.failure.code].hint },
})

export type DeliveryFilter = {
  /** Whose destination it is. */
  readonly owner_key?: string
  readonly state?: DeliveryState
  readonly task_id?: string
  readonly destination?: string
}

export type DeliveryPage = { readonly deliveries: readonly Delivery[]; readonly next: number | null }

/** Newest first. @param before - only what was written before this number. */
export const listDeliveries = guarded(
  async (
    db: Db,
    filter: DeliveryFilter,
    page: { readonly limit: number; readonly before: number | null },
  ): Promise<DeliveryPage> => {
    let query = db
      .selectFrom('deliveries')
      .selectAll()
      .orderBy('number', 'desc')
      .limit(page.limit + 1)
    if (filter.owner_key !== undefined) query = query.where('owner_key', '=', filter.owner_key)
    if (filter.state !== undefined) query = query.where('state', '=', filter.state)
    if (filter.task_id !== undefined) query = query.where(sql<boolean>`task_id = ${filter.task_id}`)
    if (filter.destination !== undefined) query = query.where('destination', '=', filter.destination)
    if (page.before !== null) query = query.where('number', '<', page.before)
    const rows = await query.execute()
    const shown = rows.slice(0, page.limit)
    const last = shown.at(-1)
    return { deliveries: shown.map(toDelivery), next: rows.length > page.limit && last ? last.number : null }
  },
)

/** Deliveries by state, for those who watch; the delivered ones are not counted: they are many and need nobody. */
export const countUndelivered = guarded(async (db: Db): Promise<Readonly<Record<string, number>>> => {
  const { rows } = await sql<{ pending: number; dead: number }>`
    SELECT (SELECT count(*) FROM deliveries WHERE state = 'pending') AS pending,
      (SELECT count(*) FROM deliveries WHERE state = 'dead') AS dead`.execute(db)
  return { pending: rows[0]?.pending ?? 0, dead: rows[0]?.dead ?? 0 }
})

export const findDelivery = guarded(
  async (db: Db, id: string): Promise<DeliveryRow | undefined> =>
    db.selectFrom('deliveries').selectAll().where('id', '=', id).executeTakeFirst(),
)

/**
 * Makes a delivery due at once under the same id, with its full retry time; the destination's breaker lets it through.
 * A delivery that is being sent stays unchanged.
 *
 * @returns the row; undefined when it has been delivered.
 */
export const retryDelivery = guarded(async (db: Db, id: string): Promise<DeliveryRow | undefined> => {
  const { rows } = await sql<DeliveryRow>`
    WITH again AS (
      UPDATE deliveries
      SET state = 'pending', attempts = 0, sending = false, tried_since = now(), next_attempt_at = now()
      WHERE id = ${id} AND state <> 'delivered' AND NOT (sending AND next_attempt_at > now())
      RETURNING *
    ),
    let_through AS (
      UPDATE delivery_lanes SET open_until = now() FROM again
      WHERE delivery_lanes.lane = again.lane AND open_until > now()
    )
    SELECT * FROM again`.execute(db)
  if (rows[0]) return rows[0]
  const row = await findDelivery(db, id)
  return row?.state === 'delivered' ? undefined : row
})
