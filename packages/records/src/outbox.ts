// The outbox: the statement that writes an event also writes a delivery for each destination of the event.

import { AGENT_EVENT_TYPES, LETTA_AGENT_ID, QUIET_EVENT_TYPES } from '@switchyard/contracts'
import { type RawBuilder, sql } from 'kysely'

/** The destination of deliveries to a task's own `callback_url`. */
export const CALLBACK = 'callback'

/** The destination of deliveries to the calling agent, when it is a Letta agent. */
export const LETTA = 'letta'

const arrayOf = (types: readonly string[]) => sql.raw(`ARRAY[${types.map((type) => `'${type}'`).join(', ')}]`)

const QUIET = arrayOf(QUIET_EVENT_TYPES)
const FOR_AGENTS = arrayOf(AGENT_EVENT_TYPES)

/** Calls of one owner to one host share a destination: a dead host with a path per task is one dead destination. */
const CALLBACK_LANE = sql.raw(
  `'${CALLBACK}:' || task.owner_key || ':' || lower(coalesce(substring(task.callback_url from '^https?://(?:[^/?#]*@)?([^/?#]+)'), ''))`,
)

/**
 * A part of a WITH, named `outbox`, for a statement that writes rows of tasks and their events.
 *
 * A destination that wants progress receives only the last of several events, and none within its interval.
 *
 * @param row - the name of the part that returns the tasks' rows, as they are written.
 * @param written - the name of the part that returns the new events: `task_id`, `seq`, `type` and `data` at least.
 */
export const outbox = (row: string, written: string): RawBuilder<unknown> => {
  const [task, events] = [sql.id(row), sql.id(written)]
  return sql`
    outbox AS (
      INSERT INTO deliveries (task_id, seq, type, destination, lane, owner_key)
      SELECT task.id, event.seq, event.type, told.destination, told.lane, told.owner_key
      FROM ${task} AS task
      JOIN ${events} AS event ON event.task_id = task.id
      CROSS JOIN LATERAL (
        SELECT ${sql.lit(CALLBACK)} AS destination, ${CALLBACK_LANE} AS lane, task.owner_key, 0 AS progress_interval_ms
        WHERE task.callback_url IS NOT NULL AND event.type = ANY (${QUIET}) AND NOT event.data ? 'escalated'
        UNION ALL
        SELECT name, name || ':' || task.agent_id, task.owner_key, 0 FROM notification_channels
        WHERE name = ${sql.lit(LETTA)} AND event.type = ANY (${FOR_AGENTS}) AND NOT event.data ? 'escalated'
          AND task.agent_id ~ ${sql.lit(LETTA_AGENT_ID.source)}
        UNION ALL
        SELECT id, id, owner_key, progress_interval_ms FROM destinations
        WHERE disabled_at IS NULL
          AND event.type = ANY (event_types)
          AND (sees_all OR owner_key = task.owner_key)
          AND (agent_id IS NULL OR agent_id = task.agent_id)
          AND (project_id IS NULL OR project_id = task.project_id)
          AND escalation = (event.data ? 'escalated')
      ) AS told
      WHERE event.type <> 'task_progress' OR (
        event.seq = (SELECT max(seq) FROM ${events} AS other WHERE other.type = 'task_progress' AND other.task_id = task.id)
        AND coalesce((
          SELECT before.created_at FROM deliveries AS before
          WHERE before.task_id = task.id AND before.destination = told.destination AND before.type = 'task_progress'
          ORDER BY before.number DESC LIMIT 1
        ) <= now() - told.progress_interval_ms * interval '1 millisecond', true))
      ORDER BY event.seq
    )`
}
