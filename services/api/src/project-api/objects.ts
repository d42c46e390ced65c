// Converts project rows to the objects of the multi-project HTTP API.

import type { CallResult, ProjectObject } from '@switchyard/contracts'
import { countOpenTasks, listSandboxes, type ProjectRow, type Records, type SandboxRow } from '@switchyard/records'
import type { Caller } from '../access/caller.ts'
import { mayChange } from '../access/projects.ts'
import { type LiveSessions, liveSessionsOfProjects } from '../projects/live-sessions.ts'
import { readServers } from '../servers/read-servers.ts'

export type SessionCounts = CallResult<'session.count'>['directories']

const latest = (dates: readonly string[]): string => dates.toSorted().at(-1) ?? ''

const toObject = (
  caller: Caller,
  row: ProjectRow,
  sandboxes: readonly SandboxRow[],
  taskCount: number,
  counted: SessionCounts | null,
  live: LiveSessions | undefined,
): ProjectObject => {
  const directories = new Set([row.base_dir, ...sandboxes.map(({ path }) => path)])
  // Only shared servers are counted. A dedicated server may be stopped or belong to another worker; its last recorded
  // count is used instead.
  const own = row.isolation === 'shared' ? counted?.filter(({ directory }) => directories.has(directory)) : undefined
  const updatedAt = row.updated_at.toISOString()
  return {
    id: row.id,
    name: row.name ?? row.key,
    gitURL: row.url,
    worktree: row.base_dir,
    vcs: 'git',
    branch: row.default_branch,
    createdAt: (row.registered_at ?? row.created_at).toISOString(),
    updatedAt,
    lastAccessed: latest([updatedAt, ...(own ?? []).map(({ updated_at }) => updated_at)]),
    sessionCount: own?.reduce((sum, { sessions }) => sum + sessions, 0) ?? live?.sessions ?? null,
    activeCount: live?.busy_sessions ?? 0,
    taskCount,
    status: row.status,
    detail: row.detail,
    model: row.model,
    isolation: row.isolation,
    metadata: { description: row.description, tags: [...row.tags], settings: { ...row.settings } },
    children: sandboxes.map(({ name, path, branch }) => ({ name, worktree: path, branch })),
    permissions: {
      canEdit: mayChange(caller, row),
      canDelete: mayChange(caller, row),
      agents: [...(row.permissions.agents ?? [])],
    },
    warnings: [...row.warnings],
  }
}

/**
 * Returns one object per row, in the same order.
 *
 * @param counted - the number of sessions in every directory; null if no worker responded
 */
export const toProjectObjects = async (
  records: Records,
  caller: Caller,
  rows: readonly ProjectRow[],
  counted: SessionCounts | null,
): Promise<readonly ProjectObject[]> => {
  const ids = rows.map((row) => row.id)
  const [sandboxes, tasks, servers] = await Promise.all([
    listSandboxes(records.db, ids),
    countOpenTasks(records.db, ids),
    readServers(records),
  ])
  const live = await liveSessionsOfProjects(records, servers, rows, sandboxes)
  const sandboxesOf = Map.groupBy(
    sandboxes.filter((sandbox) => sandbox.is_ready),
    (sandbox) => sandbox.project_id,
  )
  const tasksOf = Map.groupBy(tasks, (task) => task.project_id)
  return rows.map((row) => {
    const taskCount = (tasksOf.get(row.id) ?? []).reduce((sum, { count }) => sum + count, 0)
    return toObject(caller, row, sandboxesOf.get(row.id) ?? [], taskCount, counted, live.get(row.id))
  })
}
