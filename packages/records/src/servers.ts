// The opencode_servers table: what each OpenCode server last said of itself, reported by the workers.

import type { Selectable } from 'kysely'
import { sql } from 'kysely'
import { guarded } from './errors.ts'
import { toJson } from './json.ts'
import type { Db, ServerCatalog, ServersTable } from './schema.ts'

export type ServerRow = Selectable<ServersTable>

export const reportServer = guarded(
  async (
    db: Db,
    report: {
      id: string
      state: ServersTable['state']
      version: string | null
      detail: string | null
      catalog: ServerCatalog | null
    },
  ): Promise<void> => {
    const catalog = report.catalog === null ? null : toJson(report.catalog)
    await db
      .insertInto('opencode_servers')
      .values({ ...report, catalog, reported_at: sql`now()` })
      .onConflict((conflict) =>
        conflict.column('id').doUpdateSet({
          state: report.state,
          version: report.version,
          detail: report.detail,
          // A server that is down keeps what it last offered.
          catalog: sql`coalesce(excluded.catalog, opencode_servers.catalog)`,
          reported_at: sql`now()`,
        }),
      )
      .execute()
  },
)

/** Servers that were reported within the last minute. */
export const listServers = guarded(
  async (db: Db): Promise<readonly ServerRow[]> =>
    db
      .selectFrom('opencode_servers')
      .selectAll()
      .where('reported_at', '>', sql<Date>`now() - interval '1 minute'`)
      .orderBy('id')
      .execute(),
)
