// Tasks, their events, messages and requests; projects; the workers and servers that report in.

import { type Kysely, sql } from 'kysely'
import type { Migration } from 'kysely/migration'

const up = async (db: Kysely<unknown>): Promise<void> => {
  await sql`
    CREATE TABLE projects (
      id text PRIMARY KEY,
      key text NOT NULL UNIQUE,
      url text NOT NULL,
      created_at timestamptz NOT NULL DEFAULT now()
    )`.execute(db)
  await sql`
    CREATE TABLE tasks (
      id text PRIMARY KEY,
      agent_id text NOT NULL,
      owner_key text NOT NULL,
      status text NOT NULL,
      mode text NOT NULL,
      description text NOT NULL,
      idempotency_key text,
      request_hash text NOT NULL,
      project_id text REFERENCES projects (id),
      base_branch text,
      branch text,
      base_commit text,
      directory text,
      sandbox text,
      session_id text,
      prompt_id text,
      model text,
      variant text,
      agent text,
      permissions text NOT NULL,
      priority int NOT NULL,
      observers jsonb NOT NULL DEFAULT '[]',
      callback_url text,
      metadata jsonb NOT NULL DEFAULT '{}',
      attempt int NOT NULL DEFAULT 0,
      generation int NOT NULL DEFAULT 0,
      worker_id text,
      server_id text,
      timeout_ms bigint NOT NULL,
      deadline timestamptz NOT NULL,
      created_at timestamptz NOT NULL DEFAULT now(),
      updated_at timestamptz NOT NULL DEFAULT now(),
      started_at timestamptz,
      completed_at timestamptz,
      cancel_requested_at timestamptz,
      pause_requested_at timestamptz,
      control_reason text,
      result jsonb,
      error jsonb,
      messages_sent int NOT NULL DEFAULT 0,
      recoveries int NOT NULL DEFAULT 0,
      abort_pending boolean NOT NULL DEFAULT false,
      workspace_removed_at timestamptz,
      events_pruned_to int NOT NULL DEFAULT 0,
      last_seq int NOT NULL DEFAULT 0
    )`.execute(db)
  await sql`
    CREATE UNIQUE INDEX tasks_idempotency ON tasks (owner_key, agent_id, idempotency_key)
      WHERE idempotency_key IS NOT NULL`.execute(db)
  await sql`CREATE INDEX tasks_open ON tasks (status, created_at) WHERE completed_at IS NULL`.execute(db)
  await sql`CREATE INDEX tasks_by_agent ON tasks (agent_id, id)`.execute(db)
  await sql`CREATE INDEX tasks_by_owner ON tasks (owner_key, id)`.execute(db)
  await sql`CREATE INDEX tasks_by_project ON tasks (project_id, id) WHERE project_id IS NOT NULL`.execute(db)
  await sql`
    CREATE TABLE task_events (
      task_id text NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
      seq int NOT NULL,
      type text NOT NULL,
      message text NOT NULL,
      data jsonb NOT NULL,
      source_key text,
      created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
      PRIMARY KEY (task_id, seq)
    )`.execute(db)
  await sql`
    CREATE UNIQUE INDEX task_events_source ON task_events (task_id, source_key)
      WHERE source_key IS NOT NULL`.execute(db)
  await sql`
    CREATE INDEX tasks_to_clear ON tasks (completed_at)
      WHERE completed_at IS NOT NULL AND (workspace_removed_at IS NULL OR abort_pending)`.execute(db)
  await sql`CREATE INDEX tasks_ended ON tasks (completed_at) WHERE completed_at IS NOT NULL`.execute(db)
  await sql`
    CREATE TABLE task_diffs (
      task_id text PRIMARY KEY REFERENCES tasks (id) ON DELETE CASCADE,
      diff text NOT NULL,
      files jsonb NOT NULL,
      truncated boolean NOT NULL
    )`.execute(db)
  await sql`
    CREATE TABLE task_messages (
      id text PRIMARY KEY,
      task_id text NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
      message text NOT NULL,
      message_type text NOT NULL,
      metadata jsonb NOT NULL DEFAULT '{}',
      sent_by text NOT NULL,
      created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
      prompt_id text,
      delivered_at timestamptz
    )`.execute(db)
  await sql`CREATE INDEX task_messages_waiting ON task_messages (task_id, created_at) WHERE delivered_at IS NULL`.execute(
    db,
  )
  await sql`
    CREATE TABLE task_requests (
      id text PRIMARY KEY,
      task_id text NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
      opencode_id text NOT NULL,
      session_id text NOT NULL,
      kind text NOT NULL,
      title text NOT NULL,
      permission text,
      patterns jsonb NOT NULL DEFAULT '[]',
      always jsonb NOT NULL DEFAULT '[]',
      questions jsonb NOT NULL DEFAULT '[]',
      default_reply text NOT NULL,
      created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
      expires_at timestamptz NOT NULL,
      reply jsonb,
      replied_by text,
      replied_at timestamptz,
      settled_at timestamptz,
      UNIQUE (task_id, opencode_id)
    )`.execute(db)
  await sql`CREATE INDEX task_requests_waiting ON task_requests (task_id) WHERE settled_at IS NULL`.execute(db)
  await sql`
    CREATE TABLE workers (
      id text PRIMARY KEY,
      hostname text NOT NULL,
      started_at timestamptz NOT NULL DEFAULT now(),
      heartbeat_at timestamptz NOT NULL DEFAULT now(),
      concurrency int NOT NULL
    )`.execute(db)
  await sql`
    CREATE TABLE opencode_servers (
      id text PRIMARY KEY,
      state text NOT NULL,
      version text,
      detail text,
      catalog jsonb,
      reported_at timestamptz NOT NULL DEFAULT now()
    )`.execute(db)
}

export const tasks: Migration = { up }
