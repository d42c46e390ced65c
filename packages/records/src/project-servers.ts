// The project_servers table: OpenCode servers dedicated to one project or to one API key. One worker at a time keeps each: the
// one named in the row, while it is alive. A server's key, the column `project_id`, is the project's id, or the server's id for
// the server of an API key.

import type { LiveDirectory, WorkerId } from '@switchyard/contracts'
import { type Selectable, sql, type Updateable } from 'kysely'
import { guarded } from './errors.ts'
import { toJson } from './json.ts'
import type { Db, ProjectServersTable } from './schema.ts'
import { WORKER_SILENCE_MS } from './tasks.ts'

export type ProjectServerRow = Selectable<ProjectServersTable>

const PREFIX = 'project:'

const OWNER_PREFIX = 'owner:'

/** Returns the id of the server that the tasks and sessions of an API key share, which is its key in the table too. */
export const ownerServerId = (keyName: string): string => `${OWNER_PREFIX}${keyName}`

/** Returns the name of the API key whose server this is, by its id or key; undefined for any other server. */
export const ownerOfServer = (id: string): string | undefined =>
  id.startsWith(OWNER_PREFIX) ? id.slice(OWNER_PREFIX.length) : undefined

/** Returns a dedicated server's id, as tasks have it in `server_id`. */
export const dedicatedServerId = (key: string): string => (ownerOfServer(key) === undefined ? `${PREFIX}${key}` : key)

/** Returns the key of a dedicated server; undefined for a server that everyone shares. */
export const dedicatedServerKey = (serverId: string): string | undefined => {
  if (ownerOfServer(serverId) !== undefined) return serverId
  return serverId.startsWith(PREFIX) ? serverId.slice(PREFIX.length) : undefined
}

/** The same in SQL. */
const idOfRow = (table: string) =>
  sql.raw(`CASE WHEN ${table}.project_id LIKE '${OWNER_PREFIX}%' THEN ${table}.project_id
    ELSE '${PREFIX}' || ${table}.project_id END`)

const isKept = sql<boolean>`EXISTS (
  SELECT 1 FROM workers WHERE workers.id = project_servers.worker_id
    AND workers.heartbeat_at > now() - ${sql.raw(`interval '${WORKER_SILENCE_MS} milliseconds'`)})`

/** Marks a server as used now, which delays its idle stop. @returns its row, created if missing. */
export const touchProjectServer = guarded(
  async (db: Db, projectId: string): Promise<ProjectServerRow & { readonly is_kept: boolean }> => {
    const { rows } = await sql<ProjectServerRow & { is_kept: boolean }>`
      INSERT INTO project_servers (project_id) VALUES (${projectId})
      ON CONFLICT (project_id) DO UPDATE SET used_at = now()
      RETURNING *, ${isKept} AS is_kept`.execute(db)
    const row = rows[0]
    if (!row) throw new Error('an upsert returns its row')
    return row
  },
)

/** Takes a server that no living worker keeps. @returns its row; undefined where another was quicker. */
export const claimProjectServer = guarded(
  async (db: Db, projectId: string, workerId: WorkerId): Promise<ProjectServerRow | undefined> =>
    db
      .updateTable('project_servers')
      .set({ worker_id: workerId, state: 'starting', request: null, detail: null, updated_at: sql<Date>`now()` })
      .where('project_id', '=', projectId)
      .where(sql<boolean>`(worker_id = ${workerId} OR NOT ${isKept})`)
      .returningAll()
      .executeTakeFirst(),
)

export type ProjectServerReport = Pick<
  Updateable<ProjectServersTable>,
  'state' | 'detail' | 'kind' | 'url' | 'pid' | 'container_id' | 'version' | 'memory_bytes' | 'busy_sessions'
> & {
  readonly last_health_at: Date | null
  readonly restarts: number
  readonly live: readonly LiveDirectory[]
  readonly inUse: boolean
}

/** @returns the row, with what was asked for meanwhile; undefined where the server is no longer this worker's. */
export const reportProjectServer = guarded(
  async (
    db: Db,
    projectId: string,
    workerId: WorkerId,
    { inUse, live, ...report }: ProjectServerReport,
  ): Promise<ProjectServerRow | undefined> =>
    db
      .updateTable('project_servers')
      .set({
        ...report,
        live: toJson(live),
        updated_at: sql<Date>`now()`,
        started_at: sql<Date>`coalesce(started_at, now())`,
        ...(inUse ? { used_at: sql<Date>`now()` } : {}),
      })
      .where('project_id', '=', projectId)
      .where('worker_id', '=', workerId)
      .returningAll()
      .executeTakeFirst(),
)

/** Notes that servers are used from a worker that does not keep them. */
export const useProjectServers = guarded(async (db: Db, projectIds: readonly string[]): Promise<void> => {
  if (projectIds.length === 0) return
  await db
    .updateTable('project_servers')
    .set({ used_at: sql<Date>`now()` })
    .where('project_id', 'in', projectIds)
    .execute()
})

/** Begins the end of a server that nobody has used for so long and no task is on. @returns false where somebody does. */
export const beginStop = guarded(
  async (db: Db, projectId: string, workerId: WorkerId, idleMs: number): Promise<boolean> => {
    const { numUpdatedRows } = await db
      .updateTable('project_servers')
      .set({ state: 'stopping', updated_at: sql<Date>`now()` })
      .where('project_id', '=', projectId)
      .where('worker_id', '=', workerId)
      .where('used_at', '<=', sql<Date>`now() - ${idleMs} * interval '1 millisecond'`)
      .where(
        sql<boolean>`NOT EXISTS (SELECT 1 FROM tasks WHERE tasks.server_id = ${dedicatedServerId(projectId)}
          AND tasks.completed_at IS NULL AND tasks.status IN ('preparing', 'running', 'input_required'))`,
      )
      .executeTakeFirst()
    return numUpdatedRows > 0n
  },
)

/** Gives a server back. @param left - it runs on, for the worker that takes it next. */
export const releaseProjectServer = guarded(
  async (
    db: Db,
    projectId: string,
    workerId: WorkerId,
    { left, detail = null }: { readonly left: boolean; readonly detail?: string | null },
  ): Promise<void> => {
    const ended: Updateable<ProjectServersTable> = {
      state: 'stopped',
      detail,
      url: null,
      pid: null,
      container_id: null,
      memory_bytes: null,
      busy_sessions: 0,
      live: '[]',
      started_at: null,
    }
    await db
      .updateTable('project_servers')
      .set({ worker_id: null, request: null, updated_at: sql<Date>`now()`, ...(left ? {} : ended) })
      .where('project_id', '=', projectId)
      .where('worker_id', '=', workerId)
      .execute()
  },
)

/** Servers that run, or ran, and whose worker is gone. */
export const findLeftServers = guarded(
  async (db: Db): Promise<readonly string[]> =>
    (
      await db
        .selectFrom('project_servers')
        .select('project_id')
        .where('state', '<>', 'stopped')
        .where(sql<boolean>`NOT ${isKept}`)
        .execute()
    ).map((row) => row.project_id),
)

/** Sends a request to the worker that keeps the server. */
export const requestOfServer = guarded(
  async (db: Db, projectId: string, request: 'stop' | 'restart'): Promise<boolean> => {
    const { numUpdatedRows } = await db
      .updateTable('project_servers')
      .set({ request })
      .where('project_id', '=', projectId)
      .where(isKept)
      .executeTakeFirst()
    return numUpdatedRows > 0n
  },
)

/** Another request that came meanwhile stands. */
export const clearRequest = guarded(
  async (db: Db, projectId: string, workerId: WorkerId, request: ProjectServerRow['request']): Promise<void> => {
    await db
      .updateTable('project_servers')
      .set({ request: null })
      .where('project_id', '=', projectId)
      .where('worker_id', '=', workerId)
      .where('request', '=', request)
      .execute()
  },
)

/** Withdraws a stop of a server that is needed again. */
export const takeBackStop = guarded(async (db: Db, projectId: string): Promise<void> => {
  await db
    .updateTable('project_servers')
    .set({ request: null })
    .where('project_id', '=', projectId)
    .where('request', '=', 'stop')
    .execute()
})

export type ProjectServerSettings = {
  readonly port?: number | null | undefined
  readonly memory_limit?: number | null | undefined
  readonly idle_ms?: number | null | undefined
  readonly environment?: Readonly<Record<string, string>> | undefined
}

/** What is not given stays as it is. */
export const configureServer = guarded(
  async (db: Db, projectId: string, settings: ProjectServerSettings): Promise<ProjectServerRow> => {
    const { environment, ...plain } = settings
    const set = { ...plain, ...(environment ? { environment: toJson(environment) } : {}) }
    // The port is unique too: an insert of it would fail where two set the same one of the same project at once.
    await db
      .insertInto('project_servers')
      .values({ project_id: projectId })
      .onConflict((conflict) => conflict.doNothing())
      .execute()
    return db
      .updateTable('project_servers')
      .set({ ...set, updated_at: sql<Date>`now()` })
      .where('project_id', '=', projectId)
      .returningAll()
      .executeTakeFirstOrThrow()
  },
)

/** Ports that are others': kept for them, or in use by them. */
export const portsOfOthers = guarded(async (db: Db, projectId: string): Promise<ReadonlySet<number>> => {
  const rows = await db
    .selectFrom('project_servers')
    .select(['port', 'url'])
    .where('project_id', '<>', projectId)
    .execute()
  const used = rows.flatMap(({ port, url }) => [port, url === null ? null : Number(new URL(url).port)])
  return new Set(used.filter((port) => port !== null))
})

export type ListedServer = ProjectServerRow & {
  readonly is_kept: boolean
  /** Null for the server of an API key. */
  readonly git_url: string | null
  readonly running: number
}

/** Every dedicated server, whether it runs or not. */
export const listProjectServers = guarded(async (db: Db): Promise<readonly ListedServer[]> => {
  const { rows } = await sql<ListedServer>`
    SELECT project_servers.*, ${isKept} AS is_kept, projects.url AS git_url,
      (SELECT count(*)::int FROM tasks WHERE tasks.server_id = ${idOfRow('project_servers')}
        AND tasks.completed_at IS NULL AND tasks.status IN ('preparing', 'running', 'input_required')) AS running
    FROM project_servers LEFT JOIN projects ON projects.id = project_servers.project_id
    WHERE projects.isolation = 'dedicated' OR project_servers.project_id LIKE ${`${OWNER_PREFIX}%`}
      OR (projects.id IS NOT NULL AND project_servers.state <> 'stopped')
    ORDER BY projects.url NULLS LAST, project_servers.project_id`.execute(db)
  return rows
})

export const findProjectServer = guarded(
  async (db: Db, projectId: string): Promise<ProjectServerRow | undefined> =>
    db.selectFrom('project_servers').selectAll().where('project_id', '=', projectId).executeTakeFirst(),
)

export const forgetProjectServer = guarded(async (db: Db, projectId: string): Promise<void> => {
  await db.deleteFrom('project_servers').where('project_id', '=', projectId).execute()
})

/** Of ended tasks whose session could not be stopped: a server that has ended since runs nothing. */
export const settleAbortsOfStopped = guarded(async (db: Db): Promise<void> => {
  await sql`
    UPDATE tasks SET abort_pending = false
    WHERE abort_pending AND completed_at IS NOT NULL AND (server_id LIKE ${`${PREFIX}%`} OR server_id LIKE ${`${OWNER_PREFIX}%`})
      AND NOT EXISTS (SELECT 1 FROM project_servers s
        WHERE ${idOfRow('s')} = tasks.server_id AND s.state <> 'stopped')`.execute(db)
})
