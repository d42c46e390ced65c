// When the last probe was claimed: one whose task is still being written is not lost.

import { type Kysely, sql } from 'kysely'
import type { Migration } from 'kysely/migration'

const up = async (db: Kysely<unknown>): Promise<void> => {
  await sql`ALTER TABLE rollout ADD COLUMN probe_claimed_at timestamptz`.execute(db)
}

export const probeTimes: Migration = { up }
