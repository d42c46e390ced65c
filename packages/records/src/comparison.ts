// How the tasks of each mode and pool did: the figures by which an operator compares them.

import type { ComparisonRow } from '@switchyard/contracts'
import { sql } from 'kysely'
import { guarded } from './errors.ts'
import type { Db } from './schema.ts'
import { isInfrastructureFailure } from './side-outcomes.ts'

export type Comparison = { readonly truncated: boolean; readonly sides: readonly ComparisonRow[] }

type Row = Omit<ComparisonRow, 'first_event_ms' | 'run_ms' | 'success_rate' | 'error_codes'> & {
  readonly first_event: readonly [number | null, number | null] | null
  readonly run: readonly [number | null, number | null] | null
  readonly error_codes: Readonly<Record<string, number>> | null
}

const whole = (ms: number | null | undefined): number | null =>
  ms === null || ms === undefined ? null : Math.round(ms)

const quantiles = (found: Row['run']) => ({ p50: whole(found?.[0]), p95: whole(found?.[1]) })

const toSide = ({ first_event, run, error_codes, ...counts }: Row): ComparisonRow => {
  const judged = counts.completed + counts.failed + counts.timeout
  return {
    ...counts,
    success_rate: judged === 0 ? null : counts.completed / judged,
    error_codes: { ...error_codes },
    first_event_ms: quantiles(first_event),
    run_ms: quantiles(run),
  }
}

/**
 * Tasks that ended since then, by mode and pool.
 *
 * @param most - looks at so many tasks, the latest; where there are more, the answer is marked as truncated.
 */
export const compareSides = guarded(async (db: Db, since: Date, most: number): Promise<Comparison> => {
  const { rows } = await sql<Row>`
    WITH ended AS MATERIALIZED (
      SELECT id, mode, CASE mode WHEN 'opencode' THEN pool END AS pool, status, created_at, completed_at,
        started_at, error->>'code' AS code, ${isInfrastructureFailure} AS is_infrastructure
      FROM tasks WHERE completed_at >= ${since} ORDER BY completed_at DESC LIMIT ${most}
    ),
    timed AS (
      SELECT ended.*, extract(epoch FROM completed_at - started_at) * 1000 AS run_ms,
        extract(epoch FROM began.created_at - ended.created_at) * 1000 AS first_event_ms
      FROM ended LEFT JOIN LATERAL (
        SELECT e.created_at FROM task_events e
        WHERE e.task_id = ended.id AND e.type IN ('task_started', 'task_progress')
          AND (e.source_key IS NULL OR e.source_key NOT LIKE 'pool:%')
        ORDER BY e.seq LIMIT 1
      ) began ON true
    ),
    codes AS (
      SELECT mode, pool, json_object_agg(code, times) AS error_codes FROM (
        SELECT mode, pool, code, count(*) AS times FROM ended WHERE code IS NOT NULL GROUP BY mode, pool, code
      ) AS counted GROUP BY mode, pool
    )
    SELECT timed.mode, timed.pool, count(*) AS tasks,
      count(*) FILTER (WHERE status = 'completed') AS completed,
      count(*) FILTER (WHERE status = 'failed') AS failed,
      count(*) FILTER (WHERE status = 'timeout') AS timeout,
      count(*) FILTER (WHERE status = 'cancelled') AS cancelled,
      count(*) FILTER (WHERE is_infrastructure) AS infrastructure_failures,
      percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY first_event_ms::float8) AS first_event,
      percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY run_ms::float8) AS run,
      (SELECT error_codes FROM codes WHERE codes.mode = timed.mode AND codes.pool IS NOT DISTINCT FROM timed.pool)
        AS error_codes
    FROM timed GROUP BY timed.mode, timed.pool ORDER BY timed.mode DESC, timed.pool`.execute(db)
  const sides = rows.map(toSide)
  return { truncated: sides.reduce((sum, side) => sum + side.tasks, 0) >= most, sides }
})
