// Which queued task runs next: fair between agents, by priority within one, and never over a limit.

import type { Mode, QueueName, WorkerId } from '@switchyard/contracts'
import { type RawBuilder, sql } from 'kysely'
import { guarded } from './errors.ts'
import type { TaskRow } from './rows.ts'
import type { Db } from './schema.ts'

/** How many tasks may be prepared, running or waiting for an answer at once; 0: no limit. */
export type RunLimits = {
  readonly total: number
  readonly perServer: number
  readonly perProject: number
  readonly perAgent: number
}

/**
 * What a worker can run tasks on, by mode: the id of its OpenCode server, of its Docker engine. Tasks of a mode that is
 * not there are left to others.
 */
export type Hosts = { readonly [M in Mode]?: string } & {
  /** Whether it can start servers of API keys now. Without, their tasks run on the shared server. */
  readonly ownerServers?: boolean
}

export type Admission =
  | { readonly kind: 'taken'; readonly row: TaskRow }
  /** Tasks wait, and all of them are over a limit. */
  | { readonly kind: 'held' }
  | { readonly kind: 'none' }

/**
 * What a task runs on, in SQL: the engine, its own server, the server of its API key, its project's own server, or the worker's. The api writes the
 * server of the key when it accepts the task. A session stays on the kind of server that it was made on, whatever its project says
 * since.
 */
export const hostOf = (hosts: Hosts, table: 't' | 'tasks') => {
  const column = (name: string) => sql.ref(`${table}.${name}`)
  return sql<string>`CASE
    WHEN ${column('mode')} = 'docker' THEN ${hosts.docker ?? null}::text
    WHEN ${column('session_id')} IS NOT NULL AND ${column('server_id')} SIMILAR TO '(project|task):%'
      THEN ${column('server_id')}
    WHEN ${column('server_id')} LIKE 'owner:%' AND (${column('session_id')} IS NOT NULL OR ${hosts.ownerServers === true})
      THEN ${column('server_id')}
    WHEN ${column('session_id')} IS NULL AND EXISTS (
      SELECT 1 FROM projects WHERE projects.id = ${column('project_id')} AND projects.isolation = 'dedicated')
      THEN 'project:' || ${column('project_id')}
    ELSE ${hosts.opencode ?? null}::text END`
}

export const modesOf = (hosts: Hosts): readonly Mode[] =>
  (['opencode', 'docker'] as const).filter((mode) => hosts[mode] !== undefined)

/** The tasks of a queue: those of docker mode, or those of one pool of OpenCode servers. */
const inQueue = (queueName: QueueName): RawBuilder<boolean> =>
  queueName === 'docker' ? sql`mode = 'docker'` : sql`(mode = 'opencode' AND pool = ${queueName})`

/**
 * Takes the next queued task of a queue for a worker: of the agents that are under their limits the one with the fewest running
 * tasks comes first, then the higher priority, then the older task. In a sandbox one task works at a time.
 *
 * Admissions happen one at a time, so that a burst cannot overshoot a limit between the look and the take.
 */
export const admitTask = guarded(
  async (db: Db, workerId: WorkerId, hosts: Hosts, limits: RunLimits, queueName: QueueName): Promise<Admission> =>
    db.transaction().execute(async (transaction): Promise<Admission> => {
      await sql`SELECT pg_advisory_xact_lock(hashtextextended('admission', 0))`.execute(transaction)
      const { rows } = await sql<TaskRow>`
        WITH busy AS MATERIALIZED (
          SELECT owner_key, agent_id, project_id, sandbox, server_id FROM tasks
          WHERE status IN ('preparing', 'running', 'input_required') AND completed_at IS NULL
        ),
        per_agent AS (SELECT owner_key, agent_id, count(*) AS running FROM busy GROUP BY owner_key, agent_id),
        per_project AS (SELECT project_id, count(*) AS running FROM busy GROUP BY project_id),
        first_of_each AS (
          SELECT DISTINCT ON (t.owner_key, t.agent_id)
            t.id, t.priority, t.created_at, coalesce(a.running, 0) AS running
          FROM tasks t
          LEFT JOIN per_agent a ON a.owner_key = t.owner_key AND a.agent_id = t.agent_id
          LEFT JOIN per_project p ON p.project_id = t.project_id
          WHERE t.status = 'queued' AND t.completed_at IS NULL AND t.deadline > now() AND ${inQueue(queueName)}
            AND t.mode = ANY (${modesOf(hosts)})
            AND (${limits.perServer} = 0 OR
              (SELECT count(*) FROM busy WHERE server_id = ${hostOf(hosts, 't')}) < ${limits.perServer})
            AND (${limits.perAgent} = 0 OR coalesce(a.running, 0) < ${limits.perAgent})
            AND (${limits.perProject} = 0 OR coalesce(p.running, 0) < ${limits.perProject})
            AND (t.sandbox IS NULL OR NOT EXISTS (
              SELECT 1 FROM busy b WHERE b.project_id = t.project_id AND b.sandbox = t.sandbox))
          ORDER BY t.owner_key, t.agent_id, t.priority, t.created_at, t.id
        ),
        next AS (
          SELECT id FROM first_of_each
          WHERE (${limits.total} = 0 OR (SELECT count(*) FROM busy) < ${limits.total})
          ORDER BY running, priority, created_at, id
          LIMIT 1
        )
        UPDATE tasks SET
          generation = tasks.generation + 1,
          attempt = tasks.attempt + 1,
          worker_id = ${workerId},
          server_id = ${hostOf(hosts, 'tasks')},
          status = 'preparing',
          started_at = coalesce(tasks.started_at, now()),
          deadline = CASE WHEN tasks.started_at IS NULL
            THEN now() + tasks.timeout_ms * interval '1 millisecond' ELSE tasks.deadline END,
          updated_at = now()
        FROM next WHERE tasks.id = next.id AND tasks.status = 'queued'
        RETURNING tasks.*`.execute(transaction)
      const row = rows[0]
      if (row) return { kind: 'taken', row }
      const waiting = await sql`
        SELECT 1 FROM tasks WHERE status = 'queued' AND completed_at IS NULL AND ${inQueue(queueName)} LIMIT 1`.execute(
        transaction,
      )
      return { kind: waiting.rows.length > 0 ? 'held' : 'none' }
    }),
)

/** How many tasks wait, for a queue that is full. */
export const countQueued = guarded(async (db: Db): Promise<number> => {
  const { rows } = await sql<{ count: number }>`
    SELECT count(*) AS count FROM tasks WHERE status = 'queued' AND completed_at IS NULL`.execute(db)
  return Number(rows[0]?.count ?? 0)
})
