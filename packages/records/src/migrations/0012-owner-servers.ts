// Servers of API keys stand beside those of projects, under a key that is no project's id. Workers report whether they can
// start such servers.

import { type Kysely, sql } from 'kysely'
import type { Migration } from 'kysely/migration'

const up = async (db: Kysely<unknown>): Promise<void> => {
  await sql`ALTER TABLE project_servers DROP CONSTRAINT project_servers_project_id_fkey`.execute(db)
  await sql`ALTER TABLE workers ADD COLUMN starts_servers boolean NOT NULL DEFAULT false`.execute(db)
}

export const ownerServers: Migration = { up }
