// The deliveries table as the sender sees it: what is due, what is leased, and the result.

import type { DeliveryFailure, TaskEvent, TaskId } from '@switchyard/contracts'
import type { Selectable } from 'kysely'
import { sql } from 'kysely'
import { guarded } from './errors.ts'
import { toJson } from './json.ts'
import { prepared } from './prepared.ts'
import { type EventRow, type TaskRow, toEvent } from './rows.ts'
import type { Db, DeliveriesTable } from './schema.ts'

export type DeliveryRow = Selectable<DeliveriesTable>

const inMs = (ms: number) => sql<Date>`now() + ${ms} * interval '1 millisecond'`

/** Returns destinations with something due and a closed breaker. One index probe each, however much waits. */
export const findDueDestinations = guarded(async (db: Db, limit: number): Promise<readonly string[]> => {
  const { rows } = await sql<{ lane: string }>`
    WITH RECURSIVE waiting AS (
      (SELECT lane FROM deliveries WHERE state = 'pending' ORDER BY lane LIMIT 1)
      UNION ALL
      SELECT (SELECT d.lane FROM deliveries d WHERE d.state = 'pending' AND d.lane > waiting.lane ORDER BY d.lane LIMIT 1)
      FROM waiting WHERE waiting.lane IS NOT NULL
    )
    SELECT waiting.lane FROM waiting
    LEFT JOIN delivery_lanes breaker ON breaker.lane = waiting.lane
    WHERE waiting.lane IS NOT NULL
      AND (breaker.open_until IS NULL OR breaker.open_until <= now())
      AND EXISTS (SELECT 1 FROM deliveries d
        WHERE d.lane = waiting.lane AND d.state = 'pending' AND d.next_attempt_at <= now())
    LIMIT ${limit}`.execute(db)
  return rows.map((row) => row.lane)
})

/**
 * Leases what is due at a destination: of each task the oldest undelivered one, which keeps its order. The attempt
 * counts from here. Without a result within the lease, or once that notifier is silent, the delivery is due again.
 */
export const takeDeliveries = guarded(
  async (
    db: Db,
    lane: string,
    limit: number,
    lease: { readonly notifierId: string; readonly ms: number },
  ): Promise<readonly DeliveryRow[]> => {
    const { rows } = await sql<DeliveryRow>`${prepared(db)}
      WITH due AS (
        SELECT d.id FROM deliveries d
        WHERE d.lane = ${lane} AND d.state = 'pending' AND d.next_attempt_at <= now()
          AND NOT EXISTS (SELECT 1 FROM deliveries before
            WHERE before.task_id = d.task_id AND before.destination = d.destination
              AND before.state = 'pending' AND before.number < d.number)
        ORDER BY d.number LIMIT ${limit}
        FOR UPDATE OF d SKIP LOCKED
      )
      UPDATE deliveries d SET attempts = d.attempts + 1, sending = true, last_attempt_at = now(),
        next_attempt_at = ${inMs(lease.ms)}, taken_by = ${lease.notifierId}
      FROM due WHERE d.id = due.id AND d.state = 'pending' AND d.next_attempt_at <= now()
      RETURNING d.*`.execute(db)
    return rows.toSorted((a, b) => a.number - b.number)
  },
)

/**
 * What waits behind an earlier delivery that is to be tried again is not due before that one: nobody needs to look at
 * it meanwhile. One that is being sent defers nothing: it may arrive while this statement runs, and then nobody would
 * make what waits behind it due before the lease has expired.
 */
export const deferFollowers = guarded(async (db: Db, lane: string): Promise<void> => {
  await sql`
    UPDATE deliveries d SET next_attempt_at = first.next_attempt_at
    FROM deliveries first
    WHERE d.lane = ${lane} AND d.state = 'pending' AND d.next_attempt_at <= now()
      AND first.task_id = d.task_id AND first.destination = d.destination AND first.state = 'pending'
      AND first.number < d.number AND NOT first.sending AND first.next_attempt_at > now()`.execute(db)
})

/** They have arrived, whichever attempt that was; what waited behind each is due. */
export const markArrived = guarded(async (db: Db, ids: readonly string[]): Promise<void> => {
  await sql`${prepared(db)}
    WITH arrived AS (
      UPDATE deliveries SET state = 'delivered', delivered_at = now(), failure = NULL, sending = false
      WHERE id = ANY (${ids}) AND state <> 'delivered'
      RETURNING task_id, destination, number
    )
    UPDATE deliveries d SET next_attempt_at = now() FROM arrived
    WHERE d.task_id = arrived.task_id AND d.destination = arrived.destination AND d.number > arrived.number
      AND d.state = 'pending' AND NOT d.sending AND d.next_attempt_at > now()`.execute(db)
})

/**
 * The attempt failed. @param againInMs - when to try again; null: never, and what waited behind it is due.
 * An attempt that has lost its lease changes nothing.
 */
export const markFailed = guarded(
  async (db: Db, row: DeliveryRow, failure: DeliveryFailure, againInMs: number | null): Promise<void> => {
    const next = againInMs === null ? sql`now()` : inMs(againInMs)
    await sql`
      WITH failed AS (
        UPDATE deliveries
        SET state = ${againInMs === null ? 'dead' : 'pending'}, failure = ${toJson(failure)}::jsonb, sending = false,
          next_attempt_at = ${next}, letta_run_id = NULL
        WHERE id = ${row.id} AND state = 'pending' AND attempts = ${row.attempts}
        RETURNING id
      )
      UPDATE deliveries SET next_attempt_at = ${next} FROM failed
      WHERE task_id = ${row.task_id} AND destination = ${row.destination} AND number > ${row.number}
        AND state = 'pending' AND NOT sending`.execute(db)
  },
)

/**
 * It has to wait, and nothing has failed: the attempt does not count.
 *
 * @param why - what it waits for; null where its target has it and is at work on it.
 * @param runId - the run that has it; null: none.
 */
export const markWaiting = guarded(
  async (db: Db, row: DeliveryRow, why: DeliveryFailure | null, runId: string | null, ms: number): Promise<void> => {
    await sql`
      UPDATE deliveries SET attempts = attempts - 1, sending = false, next_attempt_at = ${inMs(ms)},
        failure = ${why && toJson(why)}::jsonb, letta_run_id = ${runId}
      WHERE id = ${row.id} AND state = 'pending' AND attempts = ${row.attempts}`.execute(db)
  },
)

/** Nobody needs it any more. What waited behind it is due. */
export const markSkipped = guarded(async (db: Db, row: DeliveryRow, why: DeliveryFailure): Promise<void> => {
  await sql`
    WITH skipped AS (
      UPDATE deliveries SET state = 'skipped', failure = ${toJson(why)}::jsonb, sending = false
      WHERE id = ${row.id} AND state = 'pending' AND attempts = ${row.attempts}
      RETURNING id
    )
    UPDATE deliveries SET next_attempt_at = now() FROM skipped
    WHERE task_id = ${row.task_id} AND destination = ${row.destination} AND number > ${row.number}
      AND state = 'pending' AND NOT sending AND next_attempt_at > now()`.execute(db)
})

/** Gives up what has been tried for too long; its last failure stays where it has one. @returns how many. */
export const giveUpOld = guarded(async (db: Db, olderThanMs: number, limit: number): Promise<number> => {
  const failure: DeliveryFailure = { code: 'given_up', message: 'it was not delivered in time', http_status: null }
  const { rows } = await sql`
    UPDATE deliveries SET state = 'dead', failure = coalesce(failure, ${toJson(failure)}::jsonb)
    WHERE id IN (
      SELECT id FROM deliveries
      WHERE state = 'pending' AND tried_since < now() - ${olderThanMs} * interval '1 millisecond'
      LIMIT ${limit} FOR UPDATE SKIP LOCKED
    ) RETURNING id`.execute(db)
  return rows.length
})

/** Deletes what was delivered or given up long ago. @returns how many. */
export const deleteOldDeliveries = guarded(async (db: Db, keptMs: number, limit: number): Promise<number> => {
  const { rows } = await sql`
    DELETE FROM deliveries WHERE id IN (
      SELECT id FROM deliveries
      WHERE state <> 'pending' AND created_at < now() - ${keptMs} * interval '1 millisecond'
      LIMIT ${limit} FOR UPDATE SKIP LOCKED
    ) RETURNING id`.execute(db)
  return rows.length
})

/** Returns the events of deliveries, by `task_id seq`. */
export const readDeliveredEvents = guarded(
  async (db: Db, rows: readonly DeliveryRow[]): Promise<ReadonlyMap<string, TaskEvent>> => {
    if (rows.length === 0) return new Map()
    const { rows: found } = await sql<EventRow>`${prepared(db)}
      SELECT task_id, seq, type, message, data, created_at FROM task_events
      JOIN unnest(${rows.map((row) => row.task_id)}::text[], ${rows.map((row) => row.seq)}::int[]) AS wanted (id, number)
        ON wanted.id = task_id AND wanted.number = seq`.execute(db)
    return new Map(found.map((row) => [`${row.task_id} ${row.seq}`, toEvent(row)]))
  },
)

/** The rows of these tasks, in any order; one that is gone is left out. */
export const findTaskRows = guarded(
  async (db: Db, ids: readonly TaskId[]): Promise<readonly TaskRow[]> =>
    ids.length === 0 ? [] : db.selectFrom('tasks').selectAll().where('id', 'in', ids).execute(),
)
