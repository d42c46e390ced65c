// The one way a task changes: fence, status, columns, events and their deliveries in a single statement.

import { type NewEvent, OPEN_STATUSES, type Status, sourcesOf, type TaskEvent } from '@switchyard/contracts'
import { type RawBuilder, sql } from 'kysely'
import { guarded } from './errors.ts'
import { storable, toJson } from './json.ts'
import { outbox } from './outbox.ts'
import { prepared } from './prepared.ts'
import { type TaskRow, toEvent } from './rows.ts'
import type { Db, TasksTable } from './schema.ts'

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
  | 'recoveries'
  | 'server_deaths'
  | 'suspicious_deaths'
  | 'server_id'
  | 'home_server_id'
  | 'abort_pending'

/** Column values to set; a Date, a string, null, or an object for the jsonb columns. */
export type Patch = {
  readonly [C in Settable]?: C extends 'result' | 'error' ? object | null : Date | string | number | boolean | null
}

export type Change = {
  readonly taskId: TasksTable['id']
  /** The generation of the run that writes; null for the api, which owns no run. */
  readonly generation: number | null
  /** The status to move to. The change is refused where the state machine does not allow the move. */
  readonly to?: Status
  /** Narrows the statuses in which the change may happen. */
  readonly from?: readonly Status[]
  readonly set?: Patch
  /** Refuses the change unless callers have sent just so many messages: none came in meanwhile. */
  readonly messagesSent?: number
  /** Refuses the change unless a pause is asked for, and no cancel: neither was said meanwhile. */
  readonly whilePauseAsked?: boolean
  /** Counts one more message of a caller. */
  readonly countMessage?: boolean
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

type Written = TaskRow & { readonly written_events: readonly EventJson[] }
type EventJson = Omit<Parameters<typeof toEvent>[0], 'created_at'> & { readonly created_at: string }

const execute = async (db: Db, change: Change): Promise<Advanced | null> => {
  const possible = change.to ? sourcesOf(change.to) : OPEN_STATUSES
  const from = change.from ? change.from.filter((status) => possible.includes(status)) : possible
  const events = distinct(change.events ?? []).map((event, ord) => ({ ...event, ord }))
  const assignments = Object.entries(change.set ?? {})
    .filter(([, value]) => value !== undefined)
    .map(([column, value]) => assignment(column, value))
  if (change.to) assignments.push(sql`, status = ${change.to}`)
  if (change.countMessage) assignments.push(sql`, messages_sent = tasks.messages_sent + 1`)
  const fence = change.generation === null ? sql`` : sql`AND generation = ${change.generation}`
  const sent = change.messagesSent === undefined ? sql`` : sql`AND messages_sent = ${change.messagesSent}`
  const asked = change.whilePauseAsked ? sql`AND pause_requested_at IS NOT NULL AND cancel_requested_at IS NULL` : sql``
  const { rows } = await sql<Written>`${prepared(db)}
    WITH held AS MATERIALIZED (
      SELECT id, last_seq FROM tasks
      WHERE id = ${change.taskId} ${fence} ${sent} ${asked} AND status = ANY (${from})
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
    ),
    ${outbox('moved', 'written')}
    SELECT moved.*, (SELECT coalesce(json_agg(written ORDER BY seq), '[]') FROM written) AS written_events
    FROM moved`.execute(db)
  const row = rows[0]
  if (!row) return null
  const { written_events, ...task } = row
  return {
    task,
    events: written_events.map((event) => toEvent({ ...event, created_at: new Date(event.created_at) })),
  }
}

const isRepeatedEvent = (error: unknown): boolean =>
  error instanceof Error && 'constraint' in error && error.constraint === 'task_events_source'

/**
 * Applies a change completely or not at all.
 *
 * Events get the next numbers; one whose `source_key` is already in the task's record is left out, so the
 * same state may be reported twice. A change with a stale generation, or from a status that does not allow it,
 * returns null and writes nothing.
 *
 * The statement locks the task's row first, so the numbers have no gap under concurrent writers.
 */
export const advance = guarded(async (db: Db, change: Change): Promise<Advanced | null> => {
  try {
    return await execute(db, change)
  } catch (error) {
    // Another writer wrote the same event while this statement waited for the row, and its snapshot was too
    // old to see it. The second run has a new snapshot.
    if (!isRepeatedEvent(error)) throw error
    return await execute(db, change)
  }
})
