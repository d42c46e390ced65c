// What became of the tasks of each mode, as the breaker counts it.

import { INFRASTRUCTURE_CODES, type Mode } from '@switchyard/contracts'
import { type RawBuilder, sql } from 'kysely'
import type { Db } from './schema.ts'

export type SideOutcome = {
  /** Tasks that ended and were not cancelled. */
  readonly ended: number
  /** Of those, how many its infrastructure ended. */
  readonly failures: number
  /** The same of the probes that were accepted since the breaker moved; `probes` counts all, also those that still run. */
  readonly probes: number
  readonly probesPassed: number
  readonly probesFailed: number
  readonly probesCancelled: number
}

/** Ended by an infrastructure failure, or never taken by any worker. */
export const isInfrastructureFailure: RawBuilder<boolean> = sql`(
  status IN ('failed', 'timeout') AND (
    error->>'code' = ANY (${[...INFRASTRUCTURE_CODES]}) OR (error->>'code' = 'task_timeout' AND started_at IS NULL)))`

/** @param since - when the breaker moved: what ended before tells nothing of what holds now. */
export const readSides = async (db: Db, windowMs: number, since: Date): Promise<ReadonlyMap<Mode, SideOutcome>> => {
  const isProbe = sql<boolean>`(mode_reason = 'probe' AND created_at >= ${since})`
  const isIn = sql<boolean>`completed_at >= now() - ${windowMs} * interval '1 millisecond'`
  const { rows } = await sql<{ mode: Mode } & SideOutcome>`
    SELECT mode,
      count(*) FILTER (WHERE ${isIn} AND status <> 'cancelled') AS ended,
      count(*) FILTER (WHERE ${isIn} AND ${isInfrastructureFailure}) AS failures,
      count(*) FILTER (WHERE ${isProbe}) AS probes,
      count(*) FILTER (WHERE ${isProbe} AND status <> 'cancelled' AND completed_at IS NOT NULL
        AND NOT ${isInfrastructureFailure}) AS "probesPassed",
      count(*) FILTER (WHERE ${isProbe} AND ${isInfrastructureFailure}) AS "probesFailed",
      count(*) FILTER (WHERE ${isProbe} AND status = 'cancelled') AS "probesCancelled"
    FROM tasks WHERE completed_at >= ${since} OR (completed_at IS NULL AND ${isProbe})
    GROUP BY mode`.execute(db)
  return new Map(rows.map(({ mode, ...outcome }) => [mode, outcome]))
}
