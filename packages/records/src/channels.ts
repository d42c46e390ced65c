// The notification_channels table: ways out for the whole installation. The outbox writes deliveries for those that are on.

import { guarded } from './errors.ts'
import type { Db } from './schema.ts'

/** From here on, or no more, the outbox writes for this channel. It stays so over restarts, whoever is up. */
export const switchChannel = guarded(async (db: Db, name: string, isOn: boolean): Promise<void> => {
  if (isOn)
    await db
      .insertInto('notification_channels')
      .values({ name })
      .onConflict((conflict) => conflict.doNothing())
      .execute()
  else await db.deleteFrom('notification_channels').where('name', '=', name).execute()
})
