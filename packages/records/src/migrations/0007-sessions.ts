// Finds the tasks of sessions: by the session that they made, and by the directory that was made for them.

import { type Kysely, sql } from 'kysely'
import type { Migration } from 'kysely/migration'

const up = async (db: Kysely<unknown>): Promise<void> => {
  await sql`CREATE INDEX tasks_session ON tasks (session_id) WHERE session_id IS NOT NULL`.execute(db)
  await sql`CREATE INDEX tasks_directory ON tasks (directory) WHERE directory IS NOT NULL`.execute(db)
}

export const sessions: Migration = { up }
