// What models were used for: one row per session, provider and model, with the sums that budgets need.

import { type Kysely, sql } from 'kysely'
import type { Migration } from 'kysely/migration'

const up = async (db: Kysely<unknown>): Promise<void> => {
  await sql`
    CREATE TABLE model_usage (
      server_id text NOT NULL,
      session_id text NOT NULL,
      provider text NOT NULL,
      model text NOT NULL,
      parent_session_id text,
      task_id text REFERENCES tasks (id) ON DELETE CASCADE,
      requests bigint NOT NULL,
      failed_requests bigint NOT NULL,
      input_tokens bigint NOT NULL,
      output_tokens bigint NOT NULL,
      reasoning_tokens bigint NOT NULL,
      cache_read_tokens bigint NOT NULL,
      cache_write_tokens bigint NOT NULL,
      first_at timestamptz NOT NULL DEFAULT now(),
      last_at timestamptz NOT NULL DEFAULT now(),
      PRIMARY KEY (session_id, server_id, provider, model)
    )`.execute(db)
  await sql`CREATE INDEX model_usage_task ON model_usage (task_id) WHERE task_id IS NOT NULL`.execute(db)
  await sql`CREATE INDEX model_usage_without_task ON model_usage (last_at) WHERE task_id IS NULL`.execute(db)
}

export const modelUsage: Migration = { up }
