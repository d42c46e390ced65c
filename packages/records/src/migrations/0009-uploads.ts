// Files that callers hand over for a worker: the two share no directory that the api may write to.

import { type Kysely, sql } from 'kysely'
import type { Migration } from 'kysely/migration'

const up = async (db: Kysely<unknown>): Promise<void> => {
  await sql`
    CREATE TABLE uploads (
      id text NOT NULL,
      part integer NOT NULL,
      data bytea NOT NULL,
      created_at timestamptz NOT NULL DEFAULT now(),
      PRIMARY KEY (id, part)
    )`.execute(db)
  await sql`CREATE INDEX uploads_created ON uploads (created_at)`.execute(db)
}

export const uploads: Migration = { up }
