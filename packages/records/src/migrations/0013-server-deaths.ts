// Finds the task that kills its OpenCode server. `server_deaths`: all deaths at which it was running; `suspicious_deaths`: those
// of which no other task is known to be the cause; `alone_since`: when it began to run alone.

import { type Kysely, sql } from 'kysely'
import type { Migration } from 'kysely/migration'

const up = async (db: Kysely<unknown>): Promise<void> => {
  await sql`
    ALTER TABLE tasks
      ADD COLUMN server_deaths int NOT NULL DEFAULT 0,
      ADD COLUMN suspicious_deaths int NOT NULL DEFAULT 0,
      ADD COLUMN alone_since timestamptz,
      ADD COLUMN home_server_id text`.execute(db)
}

export const serverDeaths: Migration = { up }
