// The OpenCode servers there are, as their workers last told of them.

import type { LiveDirectory, ServerInfo, ServerOfProject } from '@switchyard/contracts'
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

const NOWHERE: Address = { url: null, port: null }

/** The address without what may stand before its host. */
const addressOf = (url: string | null): Address => {
  if (url === null || !URL.canParse(url)) return NOWHERE
  const { protocol, hostname, port } = new URL(url)
  const number = Number(port || (protocol === 'https:' ? 443 : 80))
  return { url: `${protocol}//${hostname}:${number}`, port: number }
}

type Observed = Omit<ServerOfProject, 'id'> & { readonly url: string | null; readonly detail: string | null }

const observedShared = (row: ServerRow): Observed => ({
  kind: row.kind,
  status: row.state,
  detail: row.detail,
  pid: row.pid,
  container: null,
  ...addressOf(row.url),
  memory_bytes: row.memory_bytes,
  last_health_at: iso(row.last_health_at),
})

const observedDedicated = (row: ListedServer): Observed => {
  // What a worker that is gone last said of it holds no more.
  const isTold = row.is_kept || row.state === 'stopped'
  return {
    kind: row.kind,
    status: isTold ? row.state : 'down',
    detail: isTold ? row.detail : 'its worker is gone; another takes it up',
    pid: row.pid,
    container: row.container_id,
    ...addressOf(row.url),
    memory_bytes: row.memory_bytes,
    last_health_at: iso(row.last_health_at),
  }
}

const toShared = (row: ServerRow, running: number): ServerInfo => ({
  id: row.id,
  isolation: 'shared',
  project_id: null,
  git_url: null,
  pool: row.pool,
  version: row.version,
  ...observedShared(row),
  memory_limit_bytes: null,
  sessions: sessionsIn(row.live),
  busy_sessions: row.busy_sessions,
  running_tasks: running,
  restarts: null,
  last_used_at: null,
})

const toDedicated = (row: ListedServer, memoryLimit: number): ServerInfo => ({
  id: projectServerId(row.project_id),
  isolation: 'dedicated',
  project_id: row.project_id,
  git_url: row.git_url,
  pool: null,
  version: row.version,
  ...observedDedicated(row),
  memory_limit_bytes: row.memory_limit ?? memoryLimit,
  sessions: sessionsIn(row.live),
  busy_sessions: row.busy_sessions,
  running_tasks: row.running,
  restarts: row.restarts,
  last_used_at: iso(row.used_at),
})

export type Servers = { readonly shared: readonly ServerRow[]; readonly dedicated: readonly ListedServer[] }

export const readServers = async ({ db }: Records): Promise<Servers> => {
  const [shared, dedicated] = await Promise.all([listServers(db), listProjectServers(db)])
  return { shared: shared.filter(({ id }) => id !== ENGINE), dedicated }
}

/** Shared ones first, then those of projects by their URL. @param memoryLimit - of a project that sets none, bytes. */
export const listAllServers = async (records: Records, memoryLimit: number): Promise<readonly ServerInfo[]> => {
  const [{ shared, dedicated }, running] = await Promise.all([readServers(records), countRunningByServer(records.db)])
  return [
    ...shared.map((row) => toShared(row, running.get(row.id) ?? 0)),
    ...dedicated.map((row) => toDedicated(row, memoryLimit)),
  ]
}

type OfProject = { readonly url: string | null; readonly server: ServerOfProject }

const ofProject = (id: string, { url, detail: _, ...observed }: Observed): OfProject => ({
  url,
  server: { id, ...observed },
})

/** The servers of projects: a project's own where it is to have one, else the one of its pool. Without those that were never there. */
export const serversOfProjects = (
  { shared, dedicated }: Servers,
  projects: readonly Pick<ProjectRow, 'id' | 'isolation' | 'pool'>[],
): ReadonlyMap<string, OfProject> => {
  const serverOf = ({ id, isolation, pool }: (typeof projects)[number]): OfProject | undefined => {
    if (isolation === 'dedicated') {
      const own = dedicated.find((row) => row.project_id === id)
      if (!own) return undefined
      const observed = observedDedicated(own)
      // Nobody reaches one whose worker is gone where that worker did.
      return ofProject(projectServerId(id), own.is_kept ? observed : { ...observed, ...NOWHERE, pid: null })
    }
    const ofPool = shared.filter((row) => row.pool === pool)
    const common = ofPool.find(({ state }) => state !== 'down') ?? ofPool[0]
    return common && ofProject(common.id, observedShared(common))
  }
  return new Map(
    projects.flatMap((project) => {
      const server = serverOf(project)
      return server ? [[project.id, server] as const] : []
    }),
  )
}
