// The one way a task changes: fence, status, columns and events in a single statement.

import { type NewEvent, OPEN_STATUSES, type Status, sourcesOf, type TaskEvent } from '@switchyard/contracts'
import { type RawBuilder, sql } from 'kysely'
import { guarded } from './errors.ts'
import { storable, toJson } from './json.ts'
import type { Db } from './records.ts'
import { type TaskRow, toEvent } from './rows.ts'
import type { TasksTable } from './schema.ts'

type Settable =
  | 'branch'
  | 'base_commit'
  | 'directory'
  | 'session_id'
  | 'prompt_id'
  | 'model'
  | 'agent'
  | 'worker_id'
  | 'deadline'
  | 'started_at'
  | 'completed_at'
  | 'cancel_requested_at'
  | 'pause_requested_at'
  | 'control_reason'
  | 'result'
  | 'error'

/** Column values to set; a Date, a string, null, or an object for the jsonb columns. */
export type Patch = { readonly [C in Settable]?: C extends 'result' | 'error' ? object | null : Date | string | null }

export type Change = {
  readonly taskId: TasksTable['id']
  /** The generation of the run that writes; null for the api, which owns no run. */
  readonly generation: number | null
  /** The status to move to. The change is refused where the state machine does not allow the move. */
  readonly to?: Status
  /** Narrows the statuses in which the change may happen. */
  readonly from?: readonly Status[]
  readonly set?: Patch
  readonly events?: readonly NewEvent[]
}

/** What was written: the row after it, and the events that were new. */
export type Advanced = { readonly task: TaskRow; readonly events: readonly TaskEvent[] }

const JSON_COLUMNS: ReadonlySet<string> = new Set(['result', 'error'])

const assignment = (column: string, value: unknown): RawBuilder<unknown> => {
  const name = sql.id(column)
  if (value === null) return sql`, ${name} = NULL`
  if (JSON_COLUMNS.has(column)) return sql`, ${name} = ${toJson(value)}::jsonb`
  return sql`, ${name} = ${typeof value === 'string' ? storable(value) : value}`
}

const distinct = (events: readonly NewEvent[]): readonly NewEvent[] => {
  const seen = new Set<string>()
  return events.filter((event) => {
    if (event.source_key === undefined) return true
    if (seen.has(event.source_key)) return false
    seen.add(event.source_key)
    return true
  })
}

/**
 * Applies a change, or nothing of it.
 *
 * Events get the next numbers; one whose `source_key` is already in the task's record is left out, so that
 * the same state may be told twice. A change of a stale generation or from a status that does not allow it
 * returns null and writes nothing.
 *
 * The statement locks the task's row first, so the numbers have no gap whoever writes at the same time.
 */
export const advance = guarded(async (db: Db, change: Change): Promise<Advanced | null> => {
  const from = change.from ?? (change.to ? sourcesOf(change.to) : OPEN_STATUSES)
  const allowed =
    change.to && change.from ? change.from.filter((status) => sourcesOf(change.to as Status).includes(status)) : from
  const events = distinct(change.events ?? []).map((event, ord) => ({
    ord,
    type: event.type,
    message: event.message,
    data: event.data,
    source_key: event.source_key ?? null,
  }))
  const assignments = Object.entries(change.set ?? {})
    .filter(([, value]) => value !== undefined)
    .map(([column, value]) => assignment(column, value))
  if (change.to) assignments.push(sql`, status = ${change.to}`)
  const fence = change.generation === null ? sql`` : sql`AND generation = ${change.generation}`
  const { rows } = await sql<{ task: TaskRow; events: EventJson[] | null }>`
    WITH held AS MATERIALIZED (
      SELECT id, last_seq FROM tasks
      WHERE id = ${change.taskId} ${fence} AND status = ANY (${allowed})
      FOR UPDATE
    ),
    fresh AS MATERIALIZED (
      SELECT held.last_seq + row_number() OVER (ORDER BY e.ord) AS seq, e.type, e.message, e.data, e.source_key
      FROM held, jsonb_to_recordset(${toJson(events)}::jsonb)
        AS e (ord int, type text, message text, data jsonb, source_key text)
      WHERE e.source_key IS NULL OR NOT EXISTS (
        SELECT 1 FROM task_events told WHERE told.task_id = held.id AND told.source_key = e.source_key)
    ),
    written AS (
      INSERT INTO task_events (task_id, seq, type, message, data, source_key)
      SELECT ${change.taskId}, seq, type, message, data, source_key FROM fresh ORDER BY seq
      RETURNING seq, task_id, type, message, data, created_at
    ),
    moved AS (
      UPDATE tasks
      SET updated_at = now(), last_seq = tasks.last_seq + (SELECT count(*) FROM fresh) ${sql.join(assignments, sql``)}
      FROM held WHERE tasks.id = held.id
      RETURNING tasks.*
    )
    SELECT
      (SELECT coalesce(json_agg(written ORDER BY seq), '[]') FROM written) AS events,
      moved.*
    FROM moved`
    .execute(db)
    .then(({ rows: found }) => ({
      rows: found.map((row) => {
        const { events: written, ...task } = row as unknown as TaskRow & { events: EventJson[] | null }
        return { task: task as TaskRow, events: written }
      }),
    }))
  const row = rows[0]
  if (!row) return null
  return {
    task: row.task,
    events: (row.events ?? []).map((event) => toEvent({ ...event, created_at: new Date(event.created_at) })),
  }
})

type EventJson = Omit<Parameters<typeof toEvent>[0], 'created_at'> & { readonly created_at: string }
