// What notifying a calling agent needs: enabled channels, calls that wait for a task, and memory blocks.

import { type Kysely, sql } from 'kysely'
import type { Migration } from 'kysely/migration'

const up = async (db: Kysely<unknown>): Promise<void> => {
  await sql`
    CREATE TABLE notification_channels (
      name text PRIMARY KEY,
      enabled_at timestamptz NOT NULL DEFAULT now()
    )`.execute(db)
  await sql`
    CREATE TABLE notifiers (
      id text PRIMARY KEY,
      hostname text NOT NULL,
      started_at timestamptz NOT NULL DEFAULT now(),
      heartbeat_at timestamptz NOT NULL DEFAULT now(),
      problem text
    )`.execute(db)
  await sql`
    CREATE TABLE agent_calls (
      id text PRIMARY KEY DEFAULT gen_random_uuid()::text,
      task_id text NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
      waits_until timestamptz NOT NULL,
      seen_seq int
    )`.execute(db)
  await sql`CREATE INDEX agent_calls_by_task ON agent_calls (task_id)`.execute(db)
  // The run in Letta that an attempt began: whether it arrived is asked of that run.
  await sql`ALTER TABLE deliveries ADD COLUMN letta_run_id text`.execute(db)
  // The notifier whose attempt is under way: what a dead one was sending is due before its lease has run out.
  await sql`ALTER TABLE deliveries ADD COLUMN taken_by text`.execute(db)
  await sql`CREATE INDEX deliveries_taken ON deliveries (taken_by) WHERE state = 'pending' AND sending`.execute(db)
  // Without a foreign key: a block outlives its task's record until it is deleted in Letta too.
  await sql`
    CREATE TABLE letta_blocks (
      task_id text PRIMARY KEY,
      agent_id text NOT NULL,
      block_id text,
      written_seq int NOT NULL DEFAULT 0,
      next_at timestamptz NOT NULL DEFAULT now(),
      failures int NOT NULL DEFAULT 0,
      problem text,
      given_up_at timestamptz
    )`.execute(db)
  await sql`CREATE INDEX letta_blocks_due ON letta_blocks (next_at)`.execute(db)
}

export const letta: Migration = { up }
