// OpenCode servers of projects' own, what each project's OpenCode offers, and directories that a server knows and we do not.

import { type Kysely, sql } from 'kysely'
import type { Migration } from 'kysely/migration'

const up = async (db: Kysely<unknown>): Promise<void> => {
  // The first columns are settings; what is null is as the installation has it.
  await sql`
    CREATE TABLE project_servers (
      project_id text PRIMARY KEY REFERENCES projects (id),
      port integer,
      memory_limit bigint,
      idle_ms bigint,
      environment jsonb NOT NULL DEFAULT '{}',
      worker_id text,
      state text NOT NULL DEFAULT 'stopped',
      detail text,
      kind text,
      url text,
      pid integer,
      container_id text,
      version text,
      memory_bytes bigint,
      busy_sessions integer NOT NULL DEFAULT 0,
      restarts integer NOT NULL DEFAULT 0,
      live jsonb NOT NULL DEFAULT '[]',
      request text,
      started_at timestamptz,
      last_health_at timestamptz,
      used_at timestamptz NOT NULL DEFAULT now(),
      updated_at timestamptz NOT NULL DEFAULT now()
    )`.execute(db)
  // Where a project's OpenCode offers something else than its server does: a configuration of its own, or a server of its own.
  await sql`
    CREATE TABLE project_offers (
      project_id text PRIMARY KEY REFERENCES projects (id),
      offer jsonb,
      branch text,
      looked_at timestamptz NOT NULL DEFAULT now()
    )`.execute(db)
  await sql`
    CREATE TABLE found_directories (
      directory text PRIMARY KEY,
      source text NOT NULL,
      is_managed boolean NOT NULL,
      url text,
      seen_at timestamptz NOT NULL DEFAULT now()
    )`.execute(db)
  await sql`CREATE UNIQUE INDEX project_servers_port ON project_servers (port) WHERE port IS NOT NULL`.execute(db)
  await sql`
    ALTER TABLE opencode_servers
      ADD COLUMN kind text,
      ADD COLUMN pool text,
      ADD COLUMN url text,
      ADD COLUMN pid integer,
      ADD COLUMN memory_bytes bigint,
      ADD COLUMN busy_sessions integer,
      ADD COLUMN last_health_at timestamptz,
      ADD COLUMN offer jsonb,
      ADD COLUMN live jsonb NOT NULL DEFAULT '[]'`.execute(db)
  await sql`CREATE INDEX tasks_on_server ON tasks (server_id) WHERE completed_at IS NULL`.execute(db)
}

export const servers: Migration = { up }
