// The uploads table: a file on its way from the api to a worker, in parts. It is there for as long as the call takes.

import { sql } from 'kysely'
import { guarded } from './errors.ts'
import type { Db } from './schema.ts'

/** @param part - from 0 on, without a gap */
export const addUploadPart = guarded(async (db: Db, id: string, part: number, data: Uint8Array): Promise<void> => {
  await db
    .insertInto('uploads')
    .values({ id, part, data: Buffer.from(data) })
    .execute()
})

/** Undefined after the last one. */
export const readUploadPart = guarded(
  async (db: Db, id: string, part: number): Promise<Buffer | undefined> =>
    (await db.selectFrom('uploads').select('data').where('id', '=', id).where('part', '=', part).executeTakeFirst())
      ?.data,
)

export const deleteUpload = guarded(async (db: Db, id: string): Promise<void> => {
  await db.deleteFrom('uploads').where('id', '=', id).execute()
})

/** Deletes what an api left behind that died in between. */
export const deleteOldUploads = guarded(async (db: Db, keptMs: number): Promise<void> => {
  await db
    .deleteFrom('uploads')
    .where('created_at', '<', sql<Date>`now() - ${keptMs} * interval '1 millisecond'`)
    .execute()
})
