// The notifiers table: who sends what the outbox holds, and what is wrong with it.

import { sql } from 'kysely'
import { guarded } from './errors.ts'
import type { Db } from './schema.ts'

/** How long a notifier may be silent before it counts as gone, ms. */
const SILENCE_MS = 5_000

/** Reports in; to be called every second. @param problem - what a person should look at; null: all is well. */
export const reportNotifier = guarded(
  async (db: Db, notifier: { id: string; hostname: string; problem: string | null }): Promise<void> => {
    await sql`
      WITH silent AS (DELETE FROM notifiers WHERE heartbeat_at < now() - interval '1 hour')
      INSERT INTO notifiers (id, hostname, problem) VALUES (${notifier.id}, ${notifier.hostname}, ${notifier.problem})
      ON CONFLICT (id) DO UPDATE SET heartbeat_at = now(), problem = excluded.problem`.execute(db)
  },
)

export const removeNotifier = guarded(async (db: Db, id: string): Promise<void> => {
  await db.deleteFrom('notifiers').where('id', '=', id).execute()
})

export type NotifierState = { readonly problem: string | null }

/** Those that are alive. */
export const listLiveNotifiers = guarded(
  async (db: Db): Promise<readonly NotifierState[]> =>
    db
      .selectFrom('notifiers')
      .select('problem')
      .where('heartbeat_at', '>', sql<Date>`now() - ${SILENCE_MS} * interval '1 millisecond'`)
      .execute(),
)
