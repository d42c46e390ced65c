// The OpenCode servers there are, as their workers last told of them.

import type { LiveDirectory, ServerInfo } from '@switchyard/contracts'
import {
  countRunningByServer,
  type ListedServer,
  listProjectServers,
  listServers,
  type ProjectRow,
  projectServerId,
  type Records,
  type ServerRow,
} from '@switchyard/records'

/** Workers report their Docker engine among the servers, under this id. */
const ENGINE = 'docker'

const iso = (time: Date | null): string | null => time?.toISOString() ?? null

const sessionsIn = (live: readonly LiveDirectory[]): number | null =>
  live.some(({ sessions }) => sessions === null) ? null : live.reduce((sum, { sessions }) => sum + (sessions ?? 0), 0)

type Address = { readonly url: string | null; readonly port: number | null }

/** The address without what may stand before its host. */
const addressOf = (url: string | null): Address => {
  if (url === null || !URL.canParse(url)) return { url: null, port: null }
  const { protocol, hostname, port } = new URL(url)
  const number = Number(port || (protocol === 'https:' ? 443 : 80))
  return { url: `${protocol}//${hostname}:${number}`, port: number }
}

const toShared = (row: ServerRow, running: number): ServerInfo => ({
  id: row.id,
  isolation: 'shared',
  kind: row.kind,
  project_id: null,
  git_url: null,
  pool: row.pool,
  status: row.state,
  detail: row.detail,
  version: row.version,
  pid: row.pid,
  container: null,
  ...addressOf(row.url),
  memory_bytes: row.memory_bytes,
  memory_limit_bytes: null,
  sessions: sessionsIn(row.live),
  busy_sessions: row.busy_sessions,
  running_tasks: running,
  restarts: null,
  last_health_at: iso(row.last_health_at),
  last_used_at: null,
})

const toDedicated = (row: ListedServer, memoryLimit: number): ServerInfo => {
  // What a worker that is gone last said of it holds no more.
  const isTold = row.is_kept || row.state === 'stopped'
  return {
    id: projectServerId(row.project_id),
    isolation: 'dedicated',
    kind: row.kind,
    project_id: row.project_id,
    git_url: row.git_url,
    pool: null,
    status: isTold ? row.state : 'down',
    detail: isTold ? row.detail : 'its worker is gone; another takes it up',
    version: row.version,
    pid: row.pid,
    container: row.container_id,
    ...addressOf(row.url),
    memory_bytes: row.memory_bytes,
    memory_limit_bytes: row.memory_limit ?? memoryLimit,
    sessions: sessionsIn(row.live),
    busy_sessions: row.busy_sessions,
    running_tasks: row.running,
    restarts: row.restarts,
    last_health_at: iso(row.last_health_at),
    last_used_at: iso(row.used_at),
  }
}

/** Shared ones first, then those of projects by their URL. @param memoryLimit - of a project that sets none, bytes. */
export const listAllServers = async (records: Records, memoryLimit: number): Promise<readonly ServerInfo[]> => {
  const [shared, dedicated, running] = await Promise.all([
    listServers(records.db),
    listProjectServers(records.db),
    countRunningByServer(records.db),
  ])
  return [
    ...shared.filter(({ id }) => id !== ENGINE).map((row) => toShared(row, running.get(row.id) ?? 0)),
    ...dedicated.map((row) => toDedicated(row, memoryLimit)),
  ]
}

/** Where the servers of projects are reached by their workers: a project's own where it has one that runs, else the one of its pool. */
export const serverAddresses = async (
  records: Records,
  projects: readonly Pick<ProjectRow, 'id' | 'isolation' | 'pool'>[],
): Promise<ReadonlyMap<string, Address>> => {
  const [shared, dedicated] = await Promise.all([listServers(records.db), listProjectServers(records.db)])
  const urlOf = ({ id, isolation, pool }: (typeof projects)[number]): string | null | undefined =>
    isolation === 'dedicated'
      ? dedicated.find((row) => row.project_id === id && row.is_kept)?.url
      : shared.find((row) => row.pool === pool && row.id !== ENGINE)?.url
  return new Map(projects.map((project) => [project.id, addressOf(urlOf(project) ?? null)]))
}
