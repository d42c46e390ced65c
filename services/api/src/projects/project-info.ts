// Converts project rows to the objects that tools and routes return.

import type { ProjectInfo } from '@switchyard/contracts'
import { countOpenTasks, listSandboxes, type ProjectRow, type Records, toSandbox } from '@switchyard/records'
import { availableModelsOfProjects } from '../servers/available-models.ts'
import { readServers, serversOfProjects } from '../servers/read-servers.ts'
import { liveSessionsOfProjects } from './live-sessions.ts'

/** Returns one object per row, in the same order. */
export const toProjectInfos = async (
  records: Records,
  rows: readonly ProjectRow[],
): Promise<readonly ProjectInfo[]> => {
  const ids = rows.map((row) => row.id)
  const [sandboxes, tasks, known, available] = await Promise.all([
    listSandboxes(records.db, ids),
    countOpenTasks(records.db, ids),
    readServers(records),
    availableModelsOfProjects(records, rows),
  ])
  const servers = serversOfProjects(known, rows)
  const live = await liveSessionsOfProjects(records, known, rows, sandboxes)
  return rows.map((row) => ({
    git_url: row.url,
    project_id: row.id,
    name: row.name ?? row.key,
    status: row.status,
    detail: row.detail,
    base_dir: row.base_dir,
    default_branch: row.default_branch,
    model: row.model,
    isolation: row.isolation,
    port: servers.get(row.id)?.server.port ?? null,
    url: servers.get(row.id)?.url ?? null,
    server: servers.get(row.id)?.server ?? null,
    worktrees: sandboxes.filter((sandbox) => sandbox.project_id === row.id && sandbox.is_ready).map(toSandbox),
    sessions: live.get(row.id)?.sessions ?? null,
    busy_sessions: live.get(row.id)?.busy_sessions ?? 0,
    branch: available.get(row.id)?.branch ?? row.default_branch,
    agents: available.get(row.id)?.models.agents.map(({ name }) => name) ?? [],
    running_tasks: tasks.filter((task) => task.project_id === row.id).reduce((sum, { count }) => sum + count, 0),
    warnings: [...row.warnings],
    created_at: (row.registered_at ?? row.created_at).toISOString(),
    updated_at: row.updated_at.toISOString(),
  }))
}
