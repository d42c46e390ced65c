// The opencode_servers table: what each OpenCode server last said of itself, reported by the workers.

import type { AvailableModels, LiveDirectory } from '@switchyard/contracts'
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
      models?: AvailableModels | null
      live?: readonly LiveDirectory[]
    } & Partial<Pick<ServerRow, 'kind' | 'pool' | 'url' | 'pid' | 'memory_bytes' | 'busy_sessions' | 'last_health_at'>>,
  ): Promise<void> => {
    const { models, live: lived, ...rest } = report
    const catalog = report.catalog === null ? null : toJson(report.catalog)
    const offer = models ? toJson(models) : null
    const live = toJson(lived ?? [])
    await db
      .insertInto('opencode_servers')
      .values({ ...rest, catalog, offer, live, reported_at: sql`now()` })
      .onConflict((conflict) =>
        conflict.column('id').doUpdateSet({
          ...rest,
          live,
          // A server that is down keeps its last known models.
          catalog: sql`coalesce(excluded.catalog, opencode_servers.catalog)`,
          offer: sql`coalesce(excluded.offer, opencode_servers.offer)`,
          reported_at: sql`now()`,
        }),
      )
      .execute()
  },
)

/** What was in the directories of projects when a server was last reported, however long ago. */
export const lastLive = guarded(async (db: Db, id: string): Promise<ServerRow['live']> => {
  const row = await db.selectFrom('opencode_servers').select('live').where('id', '=', id).executeTakeFirst()
  return row?.live ?? []
})

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

/** Tasks that are prepared, run or wait for an answer, by the server they are on. */
export const countRunningByServer = guarded(async (db: Db): Promise<ReadonlyMap<string, number>> => {
  const { rows } = await sql<{ server_id: string; count: number }>`
    SELECT server_id, count(*)::int AS count FROM tasks
    WHERE completed_at IS NULL AND server_id IS NOT NULL AND status IN ('preparing', 'running', 'input_required')
    GROUP BY server_id`.execute(db)
  return new Map(rows.map(({ server_id, count }) => [server_id, count]))
})
