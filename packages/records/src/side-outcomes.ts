// What became of the tasks of each mode, as the breaker counts it.

import { INFRASTRUCTURE_CODES, type Mode } from '@switchyard/contracts'
import { type RawBuilder, sql } from 'kysely'
import type { Db } from './schema.ts'

export type SideOutcome = {
  /** Tasks that ended and were not cancelled. */
  readonly ended: number
  /** Of those, how many its infrastructure ended. */
  readonly failures: number
}

/** Tasks that tried a side again; `sent` counts also those that still run. */
export type ProbeOutcome = {
  readonly sent: number
  readonly passed: number
  readonly failed: number
  readonly cancelled: number
}

/** Ended by an infrastructure failure, or never taken by any worker. */
export const isInfrastructureFailure: RawBuilder<boolean> = sql`(
  status IN ('failed', 'timeout') AND (
    error->>'code' = ANY (${[...INFRASTRUCTURE_CODES]}) OR (error->>'code' = 'task_timeout' AND started_at IS NULL)))`

/** @param since - when the breaker moved: tasks that ended before do not count. */
export const readSides = async (db: Db, windowMs: number, since: Date): Promise<ReadonlyMap<Mode, SideOutcome>> => {
  const { rows } = await sql<{ mode: Mode } & SideOutcome>`
    SELECT mode,
      count(*) FILTER (WHERE status <> 'cancelled') AS ended,
      count(*) FILTER (WHERE ${isInfrastructureFailure}) AS failures
    FROM tasks WHERE completed_at >= greatest(${since}, now() - ${windowMs} * interval '1 millisecond')
    GROUP BY mode`.execute(db)
  return new Map(rows.map(({ mode, ...outcome }) => [mode, outcome]))
}

/** @param since - when the breaker began to probe. */
export const readProbes = async (db: Db, since: Date): Promise<ProbeOutcome> => {
  const { rows } = await sql<ProbeOutcome>`
    SELECT count(*) AS sent,
      count(*) FILTER (WHERE completed_at IS NOT NULL AND status <> 'cancelled' AND NOT ${isInfrastructureFailure})
        AS passed,
      count(*) FILTER (WHERE ${isInfrastructureFailure}) AS failed,
      count(*) FILTER (WHERE status = 'cancelled') AS cancelled
    FROM tasks WHERE mode_reason = 'probe' AND created_at >= ${since}`.execute(db)
  return rows[0] ?? { sent: 0, passed: 0, failed: 0, cancelled: 0 }
}
