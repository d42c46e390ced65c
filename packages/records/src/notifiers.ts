// The notifiers table: who sends what the outbox holds, and what is wrong with it.

import { sql } from 'kysely'
import { guarded } from './errors.ts'
import type { Db } from './schema.ts'

/** How long a notifier may be silent before it counts as dead, ms. */
const SILENCE_MS = 5_000

/** Reports that a notifier is alive; call it every second. @param problem - what a person should fix; null: healthy. */
export const reportNotifier = guarded(
  async (db: Db, notifier: { id: string; hostname: string; problem: string | null }): Promise<void> => {
    await sql`
      INSERT INTO notifiers (id, hostname, problem) VALUES (${notifier.id}, ${notifier.hostname}, ${notifier.problem})
      ON CONFLICT (id) DO UPDATE SET heartbeat_at = now(), problem = excluded.problem`.execute(db)
  },
)

/** Removes silent notifiers and makes what they were sending due. @returns the number of deliveries. */
export const releaseFromSilentNotifiers = guarded(async (db: Db): Promise<number> => {
  const { rows } = await sql`
    WITH silent AS (
      DELETE FROM notifiers WHERE heartbeat_at < now() - ${SILENCE_MS} * interval '1 millisecond' RETURNING id
    )
    UPDATE deliveries SET next_attempt_at = now() FROM silent
    WHERE taken_by = silent.id AND state = 'pending' AND sending AND next_attempt_at > now()
    RETURNING deliveries.id`.execute(db)
  return rows.length
})

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
