// The outbox: which destinations receive which events, and the results; and one order for the events of all tasks.

import { type Kysely, sql } from 'kysely'
import type { Migration } from 'kysely/migration'

const up = async (db: Kysely<unknown>): Promise<void> => {
  await sql`
    CREATE TABLE destinations (
      id text PRIMARY KEY,
      kind text NOT NULL,
      owner_key text NOT NULL,
      sees_all boolean NOT NULL,
      url text NOT NULL,
      description text,
      event_types text[] NOT NULL,
      agent_id text,
      project_id text,
      progress_interval_ms int NOT NULL,
      escalation boolean NOT NULL,
      secret text NOT NULL,
      previous_secret text,
      previous_secret_expires_at timestamptz,
      disabled_at timestamptz,
      disabled_reason text,
      created_at timestamptz NOT NULL DEFAULT now()
    )`.execute(db)
  // A delivery refers to its destination by name alone: a foreign key would have every event lock the one row.
  await sql`
    CREATE TABLE deliveries (
      id text PRIMARY KEY DEFAULT 'dlv_' || replace(gen_random_uuid()::text, '-', ''),
      number bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
      task_id text REFERENCES tasks (id) ON DELETE CASCADE,
      seq int,
      type text NOT NULL,
      destination text NOT NULL,
      lane text NOT NULL,
      owner_key text NOT NULL,
      state text NOT NULL DEFAULT 'pending',
      attempts int NOT NULL DEFAULT 0,
      sending boolean NOT NULL DEFAULT false,
      failure jsonb,
      created_at timestamptz NOT NULL DEFAULT now(),
      tried_since timestamptz NOT NULL DEFAULT now(),
      next_attempt_at timestamptz NOT NULL DEFAULT now(),
      last_attempt_at timestamptz,
      delivered_at timestamptz
    )`.execute(db)
  await sql`CREATE INDEX deliveries_due ON deliveries (lane, next_attempt_at) WHERE state = 'pending'`.execute(db)
  await sql`
    CREATE INDEX deliveries_waiting ON deliveries (task_id, destination, number) WHERE state = 'pending'`.execute(db)
  await sql`CREATE INDEX deliveries_by_task ON deliveries (task_id, destination, number)`.execute(db)
  await sql`CREATE INDEX deliveries_by_owner ON deliveries (owner_key, number)`.execute(db)
  await sql`CREATE INDEX deliveries_dead ON deliveries (number) WHERE state = 'dead'`.execute(db)
  await sql`CREATE INDEX deliveries_ended ON deliveries (created_at) WHERE state <> 'pending'`.execute(db)
  await sql`
    CREATE TABLE delivery_lanes (
      lane text PRIMARY KEY,
      failures int NOT NULL,
      openings int NOT NULL DEFAULT 0,
      open_until timestamptz
    )`.execute(db)
  await sql`ALTER TABLE task_requests ADD COLUMN escalated_at timestamptz`.execute(db)
  // The default is set after the column is added; together they would rewrite every row. Existing rows have no position.
  await sql`CREATE SEQUENCE task_event_positions`.execute(db)
  await sql`ALTER TABLE task_events ADD COLUMN position bigint`.execute(db)
  await sql`ALTER TABLE task_events ALTER COLUMN position SET DEFAULT nextval('task_event_positions')`.execute(db)
  await sql`ALTER SEQUENCE task_event_positions OWNED BY task_events.position`.execute(db)
  await sql`CREATE INDEX task_events_position ON task_events (position) WHERE position IS NOT NULL`.execute(db)
}

export const notifications: Migration = { up }
