// The tasks table: accept, read, list, take, and what a sweeper looks for.

import { OPEN_STATUSES, type Status, type Task, type TaskId, type WorkerId } from '@switchyard/contracts'
import { type Insertable, sql } from 'kysely'
import { type Hosts, hostOf, modesOf } from './admission.ts'
import { guarded } from './errors.ts'
import { storable, toJson } from './json.ts'
import { outbox } from './outbox.ts'
import { prepared } from './prepared.ts'
import { type RequestRow, type TaskRow, toTask } from './rows.ts'
import type { Db, TasksTable } from './schema.ts'

export type AcceptInput = Pick<
  Insertable<TasksTable>,
  | 'id'
  | 'agent_id'
  | 'owner_key'
  | 'mode'
  | 'mode_reason'
  | 'mode_detail'
  | 'pool'
  | 'description'
  | 'idempotency_key'
  | 'request_hash'
  | 'project_id'
  | 'base_branch'
  | 'branch'
  | 'sandbox'
  | 'model'
  | 'variant'
  | 'agent'
  | 'permissions'
  | 'priority'
  | 'callback_url'
  | 'timeout_ms'
> & {
  readonly observers: readonly string[]
  readonly metadata: Readonly<Record<string, unknown>>
  readonly deadline: Date
  /** The server of the task's API key; by default admission chooses the server. */
  readonly server_id?: string | null
  readonly project: { readonly id: string; readonly key: string; readonly url: string } | null
}

export type Accepted = { readonly row: TaskRow; readonly created: boolean }

/**
 * Writes the row and its `task_queued` event at once. With an idempotency key that is there already the
 * first row comes back, `created` false: the caller compares `request_hash`.
 */
export const acceptTask = guarded(async (db: Db, input: AcceptInput): Promise<Accepted> => {
  const project = input.project
    ? sql`INSERT INTO projects (id, key, url) VALUES (${input.project.id}, ${input.project.key}, ${input.project.url}) ON CONFLICT DO NOTHING`
    : sql`SELECT 1`
  const { rows } = await sql<TaskRow>`${prepared(db)}
    WITH project AS (${project}),
    accepted AS (
      INSERT INTO tasks (
        id, agent_id, owner_key, status, mode, mode_reason, mode_detail, pool, description, idempotency_key,
        request_hash, project_id, base_branch, branch, sandbox, model, variant, agent, permissions, priority, observers, callback_url, metadata, timeout_ms,
        deadline, server_id, last_seq
      ) VALUES (
        ${input.id}, ${input.agent_id}, ${input.owner_key}, 'queued', ${input.mode}, ${input.mode_reason},
        ${input.mode_detail}, ${input.pool}, ${storable(input.description)}, ${input.idempotency_key}, ${input.request_hash}, ${input.project_id}, ${input.base_branch}, ${input.branch},
        ${input.sandbox}, ${input.model}, ${input.variant}, ${input.agent}, ${input.permissions}, ${input.priority},
        ${toJson(input.observers)}::jsonb, ${input.callback_url}, ${toJson(input.metadata)}::jsonb, ${input.timeout_ms},
        ${input.deadline}, ${input.server_id ?? null}, 1
      )
      ON CONFLICT (owner_key, agent_id, idempotency_key) WHERE idempotency_key IS NOT NULL DO NOTHING
      RETURNING *
    ),
    told AS (
      INSERT INTO task_events (task_id, seq, type, message, data)
      SELECT id, 1, 'task_queued', 'accepted and queued', jsonb_build_object(
        'mode', mode, 'pool', pool, 'mode_reason', mode_reason, 'mode_detail', mode_detail, 'priority', priority)
      FROM accepted
      RETURNING task_id, seq, type, data
    ),
    ${outbox('accepted', 'told')}
    SELECT * FROM accepted`.execute(db)
  const row = rows[0]
  if (row) return { row, created: true }
  const first = await findByIdempotencyKey(db, input.owner_key, input.agent_id, input.idempotency_key ?? '')
  if (!first) throw new Error(`${input.id} was neither written nor found`)
  return { row: first, created: false }
})

/** The task that an earlier call with this key made. */
export const findByIdempotencyKey = guarded(
  async (db: Db, ownerKey: string, agentId: string, key: string): Promise<TaskRow | undefined> =>
    db
      .selectFrom('tasks')
      .selectAll()
      .where('owner_key', '=', ownerKey)
      .where('agent_id', '=', agentId)
      .where('idempotency_key', '=', key)
      .executeTakeFirst(),
)

export const findTaskRow = guarded(
  async (db: Db, id: TaskId): Promise<TaskRow | undefined> =>
    db.selectFrom('tasks').selectAll().where('id', '=', id).executeTakeFirst(),
)

const waitingRequests = async (db: Db, ids: readonly string[]): Promise<readonly RequestRow[]> =>
  ids.length === 0
    ? []
    : db
        .selectFrom('task_requests')
        .selectAll()
        .where('task_id', 'in', ids)
        .where('replied_at', 'is', null)
        .where('settled_at', 'is', null)
        .orderBy('created_at')
        .execute()

/** Rows with the requests that wait, as the wire's records. Ended tasks have none. */
export const toRecords = guarded(async (db: Db, rows: readonly TaskRow[]): Promise<readonly Task[]> => {
  const open = rows.filter((row) => OPEN_STATUSES.includes(row.status)).map((row) => row.id)
  const requests = await waitingRequests(db, open)
  return rows.map((row) =>
    toTask(
      row,
      requests.filter((request) => request.task_id === row.id),
    ),
  )
})

export const findTask = guarded(async (db: Db, id: TaskId): Promise<Task | undefined> => {
  const row = await findTaskRow(db, id)
  return row ? (await toRecords(db, [row]))[0] : undefined
})

export type TaskFilter = {
  readonly owner_key?: string
  readonly status?: readonly Status[]
  readonly agent_id?: string
  readonly project_id?: string
  readonly sandbox?: string
  /** A part of the description, case ignored. */
  readonly q?: string
}

/** Where a page ended: the last task's id, and whether it waited for an answer where those come first. */
export type ListCursor = { readonly id: string; readonly waiting: boolean }

export type ListPage = { readonly tasks: readonly Task[]; readonly next: ListCursor | null }

/** Newest first; with `waitingFirst`, those that wait for an answer before all others. */
export const listTasks = guarded(
  async (
    db: Db,
    filter: TaskFilter,
    page: { readonly limit: number; readonly after: ListCursor | null; readonly waitingFirst: boolean },
  ): Promise<ListPage> => {
    const waiting = sql<boolean>`(status = 'input_required')`
    let query = db
      .selectFrom('tasks')
      .selectAll()
      .limit(page.limit + 1)
    if (filter.owner_key !== undefined) query = query.where('owner_key', '=', filter.owner_key)
    if (filter.status && filter.status.length > 0) query = query.where('status', 'in', filter.status)
    if (filter.agent_id !== undefined) query = query.where('agent_id', '=', filter.agent_id)
    if (filter.project_id !== undefined) query = query.where('project_id', '=', filter.project_id)
    if (filter.sandbox !== undefined) query = query.where('sandbox', '=', filter.sandbox)
    if (filter.q !== undefined)
      query = query.where(
        'description',
        'ilike',
        `%${filter.q.replaceAll(/[\\%_]/g, (character) => `\\${character}`)}%`,
      )
    const { after } = page
    if (page.waitingFirst) {
      query = query.orderBy(waiting, 'desc').orderBy('id', 'desc')
      if (after) query = query.where(sql<boolean>`(${waiting}, id) < (${after.waiting}, ${after.id})`)
    } else {
      query = query.orderBy('id', 'desc')
      if (after) query = query.where('id', '<', after.id as TaskId)
    }
    const rows = await query.execute()
    const shown = rows.slice(0, page.limit)
    const last = shown.at(-1)
    return {
      tasks: await toRecords(db, shown),
      next: rows.length > page.limit && last ? { id: last.id, waiting: last.status === 'input_required' } : null,
    }
  },
)

export const countByStatus = guarded(async (db: Db): Promise<Readonly<Record<string, number>>> => {
  const rows = await db
    .selectFrom('tasks')
    .select(['status', (eb) => eb.fn.countAll<number>().as('count')])
    .groupBy('status')
    .execute()
  return Object.fromEntries(rows.map((row) => [row.status, Number(row.count)]))
})

/** How long a worker may be silent before its tasks are anyone's, ms. */
export const WORKER_SILENCE_MS = 5_000

const silence = sql.raw(`interval '${WORKER_SILENCE_MS} milliseconds'`)

/** No worker that is alive has the task. */
export const ownerIsGone = sql<boolean>`(tasks.worker_id IS NULL OR NOT EXISTS (
  SELECT 1 FROM workers WHERE workers.id = tasks.worker_id AND workers.heartbeat_at > now() - ${silence}))`

/**
 * Takes over a task that was admitted before and whose owner is gone. Its generation rises, so that what the earlier
 * owner still writes is refused. A task that waits in the queue is taken by `admitTask`.
 *
 * @returns the row; null where it waits, has ended, is paused, or has an owner that is alive.
 */
export const takeTask = guarded(
  async (db: Db, id: TaskId, workerId: WorkerId, hosts: Hosts): Promise<TaskRow | null> => {
    const { rows } = await sql<TaskRow>`
    UPDATE tasks SET
      generation = tasks.generation + 1,
      attempt = tasks.attempt + 1,
      worker_id = ${workerId},
      server_id = ${hostOf(hosts, 'tasks')},
      updated_at = now()
    WHERE tasks.id = ${id}
      AND tasks.status IN ('preparing', 'running', 'input_required')
      AND tasks.mode = ANY (${modesOf(hosts)})
      AND ${ownerIsGone}
    RETURNING tasks.*`.execute(db)
    return rows[0] ?? null
  },
)

/** Gives tasks back: no owner, still in their status, to be taken by the next worker. */
export const releaseTask = guarded(async (db: Db, id: TaskId, generation: number): Promise<boolean> => {
  const { numUpdatedRows } = await db
    .updateTable('tasks')
    .set({ worker_id: null })
    .where('id', '=', id)
    .where('generation', '=', generation)
    .executeTakeFirst()
  return numUpdatedRows > 0n
})

/** Tasks that this worker owns by the record. */
export const findOwned = guarded(
  async (db: Db, workerId: WorkerId): Promise<readonly { id: TaskId; generation: number }[]> =>
    db
      .selectFrom('tasks')
      .select(['id', 'generation'])
      .where('worker_id', '=', workerId)
      .where('completed_at', 'is', null)
      .execute(),
)

/** Open tasks that nobody works on and that should be in the queue: accepted or left over, oldest first. */
export const findUnowned = guarded(
  async (
    db: Db,
    statuses: readonly Status[],
    olderThanMs: number,
    limit: number,
  ): Promise<readonly Pick<TaskRow, 'id' | 'priority' | 'generation' | 'mode' | 'pool'>[]> =>
    db
      .selectFrom('tasks')
      .select(['id', 'priority', 'generation', 'mode', 'pool'])
      .where('status', 'in', statuses)
      .where('completed_at', 'is', null)
      .where(ownerIsGone)
      .where('updated_at', '<', sql<Date>`now() - ${olderThanMs} * interval '1 millisecond'`)
      .orderBy('created_at')
      .limit(limit)
      .execute(),
)

/** Open tasks without a living owner whose deadline has passed. */
export const findOverdue = guarded(
  async (db: Db, limit: number): Promise<readonly { id: TaskId; status: Status; started_at: Date | null }[]> =>
    db
      .selectFrom('tasks')
      .select(['id', 'status', 'started_at'])
      .where('status', 'in', [...OPEN_STATUSES])
      .where('deadline', '<', sql<Date>`now()`)
      .where(ownerIsGone)
      .limit(limit)
      .execute(),
)

/** Of these tasks, those that have not ended, with their status. */
export const findOpen = guarded(async (db: Db, ids: readonly string[]): Promise<ReadonlyMap<string, Status>> => {
  if (ids.length === 0) return new Map()
  const rows = await db
    .selectFrom('tasks')
    .select(['id', 'status'])
    .where('id', 'in', ids as readonly TaskId[])
    .where('status', 'in', [...OPEN_STATUSES])
    .execute()
  return new Map(rows.map((row) => [row.id, row.status]))
})
