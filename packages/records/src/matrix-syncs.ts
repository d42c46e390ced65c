// The matrix_syncs table: how far a bot's rooms have been read, and which notifier reads them.

import { sql } from 'kysely'
import { guarded } from './errors.ts'
import type { Db } from './schema.ts'

/** What a notifier that may read knows: the position; null where nothing was read yet. */
export type MatrixSync = { readonly since: string | null }

const inMs = (ms: number) => sql<Date>`now() + ${ms} * interval '1 millisecond'`

/** Takes or renews the lease. @returns undefined where another notifier has it. */
export const leaseMatrixSync = guarded(
  async (db: Db, userId: string, holder: string, leaseMs: number): Promise<MatrixSync | undefined> =>
    db
      .insertInto('matrix_syncs')
      .values({ user_id: userId, since: null, holder, lease_until: inMs(leaseMs) })
      .onConflict((conflict) =>
        conflict
          .column('user_id')
          .doUpdateSet({ holder, lease_until: inMs(leaseMs) })
          .where(sql<boolean>`matrix_syncs.holder = excluded.holder OR matrix_syncs.lease_until < now()`),
      )
      .returning('since')
      .executeTakeFirst(),
)

/** Keeps the position, and the lease. @returns false where the lease is another's by now: nothing is kept. */
export const keepMatrixSync = guarded(
  async (db: Db, userId: string, holder: string, since: string, leaseMs: number): Promise<boolean> => {
    const { numUpdatedRows } = await db
      .updateTable('matrix_syncs')
      .set({ since, lease_until: inMs(leaseMs) })
      .where('user_id', '=', userId)
      .where('holder', '=', holder)
      .executeTakeFirst()
    return numUpdatedRows > 0n
  },
)

/** Lets another notifier go on at once. */
export const releaseMatrixSync = guarded(async (db: Db, userId: string, holder: string): Promise<void> => {
  await db
    .updateTable('matrix_syncs')
    .set({ lease_until: sql<Date>`now() - interval '1 millisecond'` })
    .where('user_id', '=', userId)
    .where('holder', '=', holder)
    .execute()
})
