// The workers table: who is alive. A task's owner counts only while its worker reports in.

import type { QueueName, WorkerId } from '@switchyard/contracts'
import { sql } from 'kysely'
import { guarded } from './errors.ts'
import type { Db } from './schema.ts'
import { WORKER_SILENCE_MS } from './tasks.ts'

/** Reports in; to be called well within `WORKER_SILENCE_MS`. */
export const reportWorker = guarded(
  async (
    db: Db,
    worker: {
      id: WorkerId
      hostname: string
      concurrency: number
      queueNames: readonly QueueName[]
      startsServers?: boolean
    },
  ): Promise<void> => {
    const { queueNames, startsServers = false, ...columns } = worker
    await db
      .insertInto('workers')
      .values({ ...columns, lanes: queueNames, starts_servers: startsServers, heartbeat_at: sql`now()` })
      .onConflict((conflict) =>
        conflict.column('id').doUpdateSet({
          heartbeat_at: sql`now()`,
          lanes: sql`excluded.lanes`,
          starts_servers: sql`excluded.starts_servers`,
        }),
      )
      .execute()
  },
)

/** Signs off: its tasks are anyone's at once. */
export const removeWorker = guarded(async (db: Db, id: WorkerId): Promise<void> => {
  await db.deleteFrom('workers').where('id', '=', id).execute()
})

/** Forgets workers that have been silent for an hour. */
export const forgetSilentWorkers = guarded(async (db: Db): Promise<void> => {
  await db.deleteFrom('workers').where('heartbeat_at', '<', sql<Date>`now() - interval '1 hour'`).execute()
})

const isLive = sql<boolean>`heartbeat_at > now() - ${WORKER_SILENCE_MS} * interval '1 millisecond'`

export const countLiveWorkers = guarded(async (db: Db): Promise<number> => {
  const row = await db
    .selectFrom('workers')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where(isLive)
    .executeTakeFirstOrThrow()
  return Number(row.count)
})

/** Returns whether every live worker can start servers for projects and API keys now. */
export const allStartServers = guarded(async (db: Db): Promise<boolean> => {
  const row = await db
    .selectFrom('workers')
    .select('id')
    .where(isLive)
    .where('starts_servers', '=', false)
    .executeTakeFirst()
  return row === undefined
})

/** Their ids. */
export const liveWorkers = guarded(async (db: Db): Promise<ReadonlySet<string>> => {
  const rows = await db.selectFrom('workers').select('id').where(isLive).execute()
  return new Set(rows.map(({ id }) => id))
})
