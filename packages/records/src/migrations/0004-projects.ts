// Registered projects, their sandboxes, and the calls that workers answer.

import { type Kysely, sql } from 'kysely'
import type { Migration } from 'kysely/migration'

const up = async (db: Kysely<unknown>): Promise<void> => {
  await sql`
    ALTER TABLE projects
      ADD COLUMN status text NOT NULL DEFAULT 'known',
      ADD COLUMN detail text,
      ADD COLUMN owner_key text,
      ADD COLUMN registered_at timestamptz,
      ADD COLUMN updated_at timestamptz NOT NULL DEFAULT now(),
      ADD COLUMN name text,
      ADD COLUMN description text,
      ADD COLUMN tags text[] NOT NULL DEFAULT '{}',
      ADD COLUMN settings jsonb NOT NULL DEFAULT '{}',
      ADD COLUMN permissions jsonb NOT NULL DEFAULT '{}',
      ADD COLUMN base_dir text,
      ADD COLUMN is_managed boolean NOT NULL DEFAULT true,
      ADD COLUMN default_branch text,
      ADD COLUMN isolation text NOT NULL DEFAULT 'shared',
      ADD COLUMN pool text NOT NULL DEFAULT 'blue',
      ADD COLUMN model text,
      ADD COLUMN user_ssh_key text,
      ADD COLUMN public_key text,
      ADD COLUMN warnings jsonb NOT NULL DEFAULT '[]'`.execute(db)
  // Two projects in one directory would work in each other's files.
  await sql`CREATE UNIQUE INDEX projects_base_dir ON projects (base_dir) WHERE base_dir IS NOT NULL`.execute(db)
  await sql`
    CREATE TABLE sandboxes (
      project_id text NOT NULL REFERENCES projects (id),
      name text NOT NULL,
      path text NOT NULL UNIQUE,
      branch text NOT NULL,
      base_branch text,
      base_commit text,
      start_command text,
      owner_key text NOT NULL,
      is_ready boolean NOT NULL DEFAULT false,
      created_at timestamptz NOT NULL DEFAULT now(),
      PRIMARY KEY (project_id, name)
    )`.execute(db)
  await sql`
    CREATE TABLE worker_calls (
      id text PRIMARY KEY,
      kind text NOT NULL,
      target text NOT NULL,
      args jsonb NOT NULL,
      state text NOT NULL DEFAULT 'waiting',
      worker_id text,
      result jsonb,
      error jsonb,
      created_at timestamptz NOT NULL DEFAULT now(),
      expires_at timestamptz NOT NULL,
      ended_at timestamptz
    )`.execute(db)
  await sql`CREATE INDEX worker_calls_open ON worker_calls (created_at) WHERE ended_at IS NULL`.execute(db)
  await sql`CREATE INDEX worker_calls_ended ON worker_calls (ended_at) WHERE ended_at IS NOT NULL`.execute(db)
}

export const projects: Migration = { up }
