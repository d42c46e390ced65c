// The rollout tables: the settings that hold now with the breaker's state, and every change of them.

import type { Fixed, Mode, QueueName } from '@switchyard/contracts'
import { type Selectable, sql, type Transaction } from 'kysely'
import { guarded } from './errors.ts'
import type { Database, Db } from './schema.ts'
import { type ProbeOutcome, readProbes, readSides, type SideOutcome } from './side-outcomes.ts'
import { WORKER_SILENCE_MS } from './tasks.ts'

export type RolloutRow = Omit<Selectable<Database['rollout']>, 'only_row'>
export type RolloutChange = Selectable<Database['rollout_changes']>

/** The settings, how many live workers take tasks from each queue, and the database's time. */
export type RolloutNow = { readonly row: RolloutRow; readonly live: ReadonlyMap<QueueName, number>; readonly now: Date }

const keepChange = async (transaction: Transaction<Database>, by: string, reason: string): Promise<void> => {
  await sql`
    INSERT INTO rollout_changes (changed_by, reason, percent, green, fixed, breaker_state, breaker_side)
    SELECT ${by}, ${reason}, percent, green, fixed, breaker_state, breaker_side FROM rollout`.execute(transaction)
}

/** Writes the first settings if none exist. @returns whether it did. */
export const initRollout = guarded(
  async (db: Db, percent: number, reason: string): Promise<boolean> =>
    db.transaction().execute(async (transaction) => {
      const { rows } = await sql`
        INSERT INTO rollout (percent, changed_by, reason) VALUES (${percent}, 'environment', ${reason})
        ON CONFLICT DO NOTHING RETURNING 1`.execute(transaction)
      if (rows.length === 0) return false
      await keepChange(transaction, 'environment', reason)
      return true
    }),
)

/** One short query, whatever the number of tasks. @returns undefined before `initRollout`. */
export const readRollout = guarded(async (db: Db): Promise<RolloutNow | undefined> => {
  const { rows } = await sql<RolloutRow & { now: Date; live: Readonly<Partial<Record<QueueName, number>>> }>`
    SELECT rollout.*, clock_timestamp() AS now, coalesce((
      SELECT json_object_agg(queue_name, workers) FROM (
        SELECT queue_name, count(*) AS workers FROM workers, unnest(lanes) AS queue_name
        WHERE heartbeat_at > now() - ${WORKER_SILENCE_MS} * interval '1 millisecond' GROUP BY queue_name
      ) AS counted), '{}') AS live
    FROM rollout`.execute(db)
  const found = rows[0]
  if (!found) return undefined
  const { now, live, ...row } = found
  return { row, now, live: new Map(Object.entries(live) as [QueueName, number][]) }
})

export type RolloutSettings = {
  readonly percent?: number | undefined
  readonly green?: number | undefined
  /** Given, it also closes the breaker: what it counted before counts no more. */
  readonly fixed?: Fixed | null | undefined
}

/** Changes what is given and keeps who did it and why. */
export const changeRollout = guarded(
  async (db: Db, settings: RolloutSettings, by: string, reason: string): Promise<void> =>
    db.transaction().execute(async (transaction) => {
      const { percent, green, fixed } = settings
      await transaction
        .updateTable('rollout')
        .set({
          changed_at: sql<Date>`now()`,
          changed_by: by,
          reason,
          ...(percent === undefined ? {} : { percent }),
          ...(green === undefined ? {} : { green }),
          ...(fixed === undefined ? {} : { fixed, ...CLOSED, breaker_since: sql<Date>`now()` }),
        })
        .execute()
      await keepChange(transaction, by, reason)
    }),
)

const CLOSED = {
  breaker_state: 'closed',
  breaker_side: null,
  breaker_reason: null,
  breaker_trips: 0,
  probes_sent: 0,
  probes_allowed: 0,
} as const

export type BreakerRow = Pick<
  RolloutRow,
  | 'breaker_state'
  | 'breaker_side'
  | 'breaker_since'
  | 'breaker_trips'
  | 'probes_sent'
  | 'probes_allowed'
  | 'probe_claimed_at'
>

/** Writes the breaker's next state; `since` restarts when `reason` is given. */
export type BreakerMove =
  | {
      readonly kind: 'turn'
      readonly state: BreakerRow['breaker_state']
      readonly side: Mode | null
      readonly trips: number
      readonly allowed: number
      readonly reason: string
    }
  | { readonly kind: 'allow'; readonly allowed: number }

/** What the breaker looks at: the sides while it is closed, the probes while it probes. */
export type Evidence = {
  readonly sides: ReadonlyMap<Mode, SideOutcome>
  readonly probes: ProbeOutcome
  readonly now: Date
}

type Judge = (row: BreakerRow, evidence: Evidence) => BreakerMove | null

const gather = async (db: Db, { breaker_state, breaker_since }: BreakerRow, windowMs: number): Promise<Evidence> => {
  const { rows } = await sql<{ now: Date }>`SELECT now() AS now`.execute(db)
  return {
    sides: breaker_state === 'closed' ? await readSides(db, windowMs, breaker_since) : new Map(),
    probes: breaker_state === 'half_open' ? await readProbes(db, breaker_since) : NO_PROBES,
    now: rows[0]?.now ?? new Date(),
  }
}

const NO_PROBES: ProbeOutcome = { sent: 0, passed: 0, failed: 0, cancelled: 0 }

/**
 * Lets `judge` look at what became of the tasks of each side, and writes what it decides. One evaluator at a time: where another
 * is at it, nothing happens.
 *
 * @param windowMs - tasks that ended within so long, and since the breaker last moved, are looked at.
 * @returns the move that was written.
 */
export const evaluateBreaker = guarded(
  async (db: Db, windowMs: number, judge: Judge): Promise<BreakerMove | null> =>
    db.transaction().execute(async (transaction) => {
      const lock = await sql<{ held: boolean }>`
        SELECT pg_try_advisory_xact_lock(hashtextextended('rollout', 0)) AS held`.execute(transaction)
      if (!lock.rows[0]?.held) return null
      const row = await transaction.selectFrom('rollout').selectAll().forUpdate().executeTakeFirst()
      if (!row || row.fixed !== null) return null
      const move = judge(row, await gather(transaction, row, windowMs))
      if (move === null) return null
      if (move.kind === 'allow') {
        await transaction.updateTable('rollout').set({ probes_allowed: move.allowed }).execute()
        return move
      }
      await transaction
        .updateTable('rollout')
        .set({
          breaker_state: move.state,
          breaker_side: move.side,
          breaker_since: sql<Date>`now()`,
          breaker_reason: move.reason,
          breaker_trips: move.trips,
          probes_sent: 0,
          probes_allowed: move.allowed,
        })
        .execute()
      await keepChange(transaction, 'breaker', move.reason)
      return move
    }),
)

/** Takes one of the probes that are allowed, for a task that is about to be accepted. @returns false: none is left. */
export const claimProbe = guarded(async (db: Db): Promise<boolean> => {
  const { numUpdatedRows } = await db
    .updateTable('rollout')
    .set({ probes_sent: sql<number>`probes_sent + 1`, probe_claimed_at: sql<Date>`now()` })
    .where('breaker_state', '=', 'half_open')
    .whereRef('probes_sent', '<', 'probes_allowed')
    .executeTakeFirst()
  return numUpdatedRows > 0n
})

/** The latest changes, newest first. */
export const listRolloutChanges = guarded(
  async (db: Db, limit: number): Promise<readonly RolloutChange[]> =>
    db.selectFrom('rollout_changes').selectAll().orderBy('id', 'desc').limit(limit).execute(),
)
