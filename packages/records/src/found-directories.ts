// The found_directories table: repositories on disk that no project has, as the last look found them.

import type { Selectable } from 'kysely'
import { guarded } from './errors.ts'
import type { Db, FoundTable } from './schema.ts'

export type FoundDirectory = Omit<Selectable<FoundTable>, 'seen_at'>

/** What is not among them is forgotten. */
export const replaceFound = guarded(async (db: Db, found: readonly FoundDirectory[]): Promise<void> => {
  await db.transaction().execute(async (transaction) => {
    await transaction.deleteFrom('found_directories').execute()
    if (found.length > 0)
      await transaction
        .insertInto('found_directories')
        .values([...found])
        .execute()
  })
})

/** Those that no project has taken since, in the order of their names. */
export const listFound = guarded(
  async (db: Db): Promise<readonly FoundDirectory[]> =>
    db
      .selectFrom('found_directories')
      .select(['directory', 'source', 'is_managed', 'url'])
      .where(({ not, exists, selectFrom }) =>
        not(
          exists(
            selectFrom('projects')
              .select('projects.id')
              .whereRef('projects.base_dir', '=', 'found_directories.directory'),
          ),
        ),
      )
      .orderBy('directory')
      .execute(),
)
