// The delivery_lanes table: the breaker of each destination. No row means the destination is healthy.

import { sql } from 'kysely'
import { guarded } from './errors.ts'
import type { Db } from './schema.ts'

export type BreakerState = { readonly failures: number; readonly isOpen: boolean }

/** The breaker opens after `failures` in a row, for `firstMs`, then twice as long each time, `mostMs` at most. */
export type BreakerRule = { readonly failures: number; readonly firstMs: number; readonly mostMs: number }

export const readBreaker = guarded(async (db: Db, lane: string): Promise<BreakerState> => {
  const row = await db
    .selectFrom('delivery_lanes')
    .select(['failures', sql<boolean>`coalesce(open_until > now(), false)`.as('is_open')])
    .where('lane', '=', lane)
    .executeTakeFirst()
  return { failures: row?.failures ?? 0, isOpen: row?.is_open ?? false }
})

/**
 * Counts a failure of the destination. @param spread - a factor near 1, so that destinations that failed together are
 * not retried together. @returns the state after it.
 */
export const countDestinationFailure = guarded(
  async (db: Db, lane: string, rule: BreakerRule, spread: number): Promise<BreakerState> => {
    const opens = sql`(breaker.failures + 1 >= ${rule.failures} AND (breaker.open_until IS NULL OR breaker.open_until <= now()))`
    const { rows } = await sql<{ failures: number; is_open: boolean }>`
      INSERT INTO delivery_lanes AS breaker (lane, failures) VALUES (${lane}, 1)
      ON CONFLICT (lane) DO UPDATE SET
        failures = breaker.failures + 1,
        openings = breaker.openings + (CASE WHEN ${opens} THEN 1 ELSE 0 END),
        open_until = CASE WHEN ${opens}
          THEN now() + least(${rule.firstMs} * 2 ^ least(breaker.openings, 30), ${rule.mostMs}) * ${spread}::float8 * interval '1 millisecond'
          ELSE breaker.open_until END
      RETURNING failures, coalesce(open_until > now(), false) AS is_open`.execute(db)
    return { failures: rows[0]?.failures ?? 1, isOpen: rows[0]?.is_open ?? false }
  },
)

/** Sends nothing to the destination for `ms`, as it requested. */
export const holdDestination = guarded(async (db: Db, lane: string, ms: number): Promise<void> => {
  const until = sql<Date>`now() + ${ms} * interval '1 millisecond'`
  await db
    .insertInto('delivery_lanes')
    .values({ lane, failures: 1, openings: 0, open_until: until })
    .onConflict((conflict) =>
      conflict
        .column('lane')
        .doUpdateSet({ open_until: sql`greatest(delivery_lanes.open_until, excluded.open_until)` }),
    )
    .execute()
})

/** Closes the breaker of a healthy destination; if it was open, everything that waited for a retry is due. */
export const closeBreaker = guarded(async (db: Db, lane: string): Promise<void> => {
  await sql`
    WITH closed AS (DELETE FROM delivery_lanes WHERE lane = ${lane} RETURNING openings)
    UPDATE deliveries SET next_attempt_at = now() FROM closed
    WHERE closed.openings > 0 AND deliveries.lane = ${lane} AND state = 'pending' AND NOT sending
      AND next_attempt_at > now()`.execute(db)
})
