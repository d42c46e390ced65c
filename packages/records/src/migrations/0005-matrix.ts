// Matrix: the room of each task, what each sent message is about, and how far the rooms have been read.

import { type Kysely, sql } from 'kysely'
import type { Migration } from 'kysely/migration'

const up = async (db: Kysely<unknown>): Promise<void> => {
  await sql`
    CREATE TABLE matrix_threads (
      task_id text PRIMARY KEY REFERENCES tasks (id) ON DELETE CASCADE,
      room_id text NOT NULL,
      own_room boolean NOT NULL,
      root_event_id text,
      progress_event_id text,
      left_at timestamptz
    )`.execute(db)
  await sql`CREATE INDEX matrix_threads_room ON matrix_threads (room_id) WHERE own_room AND left_at IS NULL`.execute(db)
  await sql`
    CREATE TABLE matrix_messages (
      event_id text PRIMARY KEY,
      task_id text NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
      room_id text NOT NULL,
      request_id text
    )`.execute(db)
  await sql`CREATE INDEX matrix_messages_task ON matrix_messages (task_id)`.execute(db)
  await sql`
    CREATE TABLE matrix_syncs (
      user_id text PRIMARY KEY,
      since text,
      holder text NOT NULL,
      lease_until timestamptz NOT NULL
    )`.execute(db)
}

export const matrix: Migration = { up }
