// The notification_channels table: ways out for the whole installation. The outbox writes deliveries for those that are on.

import { guarded } from './errors.ts'
import type { Db } from './schema.ts'

/** Switches a channel on or off for the outbox of every process, until it is switched again. */
export const switchChannel = guarded(async (db: Db, name: string, isOn: boolean): Promise<void> => {
  if (isOn)
    await db
      .insertInto('notification_channels')
      .values({ name })
      .onConflict((conflict) => conflict.doNothing())
      .execute()
  else await db.deleteFrom('notification_channels').where('name', '=', name).execute()
})
