// Reads the OpenCode servers, as their workers last reported them.

import type { LiveDirectory, ServerInfo, ServerOfProject } from '@switchyard/contracts'
import {
  countRunningByServer,
  dedicatedServerId,
  type ListedServer,
  listProjectServers,
  listServers,
  ownerOfServer,
  type ProjectRow,
  type Records,
  type ServerRow,
} from '@switchyard/records'

/** Workers report their Docker engine as a server with this id. */
const ENGINE = 'docker'

const iso = (time: Date | null): string | null => time?.toISOString() ?? null

const sessionsIn = (live: readonly LiveDirectory[]): number | null =>
  live.some(({ sessions }) => sessions === null) ? null : live.reduce((sum, { sessions }) => sum + (sessions ?? 0), 0)

type Address = { readonly url: string | null; readonly port: number | null }

const NO_ADDRESS: Address = { url: null, port: null }

/** Returns the address of a URL without its credentials. */
const addressOf = (url: string | null): Address => {
  if (url === null || !URL.canParse(url)) return NO_ADDRESS
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
  // The last report of a worker that has died is no longer valid.
  const isCurrent = row.is_kept || row.state === 'stopped'
  return {
    kind: row.kind,
    status: isCurrent ? row.state : 'down',
    detail: isCurrent ? row.detail : 'its worker has died; another worker will take over',
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
  owner: null,
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

const ownerOrProject = (row: ListedServer): Pick<ServerInfo, 'isolation' | 'project_id' | 'git_url' | 'owner'> => {
  const owner = ownerOfServer(row.project_id)
  return owner === undefined
    ? { isolation: 'dedicated', project_id: row.project_id, git_url: row.git_url, owner: null }
    : { isolation: 'owner', project_id: null, git_url: null, owner }
}

const toDedicated = (row: ListedServer, memoryLimit: number): ServerInfo => ({
  id: dedicatedServerId(row.project_id),
  ...ownerOrProject(row),
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

/**
 * Returns the shared servers, then the dedicated ones by the URL of their project, then those of API keys.
 *
 * @param memoryLimit - for projects that do not set a limit, in bytes
 */
export const listAllServers = async (records: Records, memoryLimit: number): Promise<readonly ServerInfo[]> => {
  const [{ shared, dedicated }, running] = await Promise.all([readServers(records), countRunningByServer(records.db)])
  return [
    ...shared.map((row) => toShared(row, running.get(row.id) ?? 0)),
    ...dedicated.map((row) => toDedicated(row, memoryLimit)),
  ]
}

type ProjectServer = { readonly url: string | null; readonly server: ServerOfProject }

const toProjectServer = (id: string, { url, detail: _, ...observed }: Observed): ProjectServer => ({
  url,
  server: { id, ...observed },
})

/**
 * Returns the servers by project id: the dedicated server of a project with dedicated isolation, else that of its pool.
 * Projects whose server never started are left out.
 */
export const serversOfProjects = (
  { shared, dedicated }: Servers,
  projects: readonly Pick<ProjectRow, 'id' | 'isolation' | 'pool'>[],
): ReadonlyMap<string, ProjectServer> => {
  const serverOf = ({ id, isolation, pool }: (typeof projects)[number]): ProjectServer | undefined => {
    if (isolation === 'dedicated') {
      const own = dedicated.find((row) => row.project_id === id)
      if (!own) return undefined
      const observed = observedDedicated(own)
      // Without its worker, the server is not reachable at the recorded address.
      return toProjectServer(dedicatedServerId(id), own.is_kept ? observed : { ...observed, ...NO_ADDRESS, pid: null })
    }
    const ofPool = shared.filter((row) => row.pool === pool)
    const active = ofPool.find(({ state }) => state !== 'down') ?? ofPool[0]
    return active && toProjectServer(active.id, observedShared(active))
  }
  return new Map(
    projects.flatMap((project) => {
      const server = serverOf(project)
      return server ? [[project.id, server] as const] : []
    }),
  )
}
