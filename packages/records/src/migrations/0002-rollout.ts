// The rollout: the current settings with the breaker's state, every change of them, and what decided a task's mode and pool.

import { type Kysely, sql } from 'kysely'
import type { Migration } from 'kysely/migration'

const up = async (db: Kysely<unknown>): Promise<void> => {
  await sql`
    ALTER TABLE tasks
      ADD COLUMN pool text DEFAULT 'blue',
      ADD COLUMN mode_reason text,
      ADD COLUMN mode_detail text`.execute(db)
  await sql`CREATE INDEX tasks_open_by_pool ON tasks (pool, created_at) WHERE completed_at IS NULL`.execute(db)
  await sql`CREATE INDEX tasks_probes ON tasks (created_at) WHERE mode_reason = 'probe'`.execute(db)
  await sql`ALTER TABLE workers ADD COLUMN lanes text[] NOT NULL DEFAULT '{blue}'`.execute(db)
  await sql`
    CREATE TABLE rollout (
      only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
      percent int NOT NULL CHECK (percent BETWEEN 0 AND 100),
      green int NOT NULL DEFAULT 0 CHECK (green BETWEEN 0 AND 100),
      fixed text,
      changed_at timestamptz NOT NULL DEFAULT now(),
      changed_by text NOT NULL,
      reason text NOT NULL,
      breaker_state text NOT NULL DEFAULT 'closed',
      breaker_side text,
      breaker_since timestamptz NOT NULL DEFAULT now(),
      breaker_reason text,
      breaker_trips int NOT NULL DEFAULT 0,
      probes_sent int NOT NULL DEFAULT 0,
      probes_allowed int NOT NULL DEFAULT 0
    )`.execute(db)
  await sql`
    CREATE TABLE rollout_changes (
      id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      changed_at timestamptz NOT NULL DEFAULT now(),
      changed_by text NOT NULL,
      reason text NOT NULL,
      percent int NOT NULL,
      green int NOT NULL,
      fixed text,
      breaker_state text NOT NULL,
      breaker_side text
    )`.execute(db)
}

export const rollout: Migration = { up }
