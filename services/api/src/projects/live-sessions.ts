// The sessions that are live in projects. Workers record them from the event streams of their servers, so no server is
// queried here.

import {
  type ListedServer,
  openTaskDirectories,
  ownerOfServer,
  type ProjectRow,
  type Records,
  type SandboxRow,
  type ServerRow,
} from '@switchyard/records'
import type { Servers } from '../servers/read-servers.ts'

type WithLive = Pick<ServerRow | ListedServer, 'live'>

export type LiveSessions = { readonly sessions: number | null; readonly busy_sessions: number }

/**
 * Returns the servers that may have sessions of a project: one of each worker in its pool, or its dedicated one; and those of
 * API keys.
 */
const serversOf = ({ id, isolation, pool }: ProjectRow, { shared, dedicated }: Servers): readonly WithLive[] => {
  const ofKeys = dedicated.filter((row) => ownerOfServer(row.project_id) !== undefined && row.is_kept)
  const ofProject =
    isolation === 'dedicated'
      ? dedicated.filter((row) => row.project_id === id && row.is_kept)
      : shared.filter((row) => row.pool === pool && row.state !== 'down')
  return [...ofProject, ...ofKeys]
}

/** Returns the live sessions by project id. */
export const liveSessionsOfProjects = async (
  records: Records,
  servers: Servers,
  rows: readonly ProjectRow[],
  sandboxes: readonly SandboxRow[],
): Promise<ReadonlyMap<string, LiveSessions>> => {
  const tasks = await openTaskDirectories(
    records.db,
    rows.map(({ id }) => id),
  )
  const liveOf = (row: ProjectRow): LiveSessions => {
    const ofProject = ({ project_id }: { readonly project_id: string | null }) => project_id === row.id
    const owned = new Set([row.base_dir, ...sandboxes.filter(ofProject).map(({ path }) => path)])
    const working = new Set([...owned, ...tasks.filter(ofProject).map(({ directory }) => directory)])
    const candidates = serversOf(row, servers)
    const live = candidates.flatMap((server) => server.live)
    const ownLive = live.filter(({ directory }) => owned.has(directory))
    const isKnown = candidates.length > 0 && ownLive.every(({ sessions }) => sessions !== null)
    return {
      sessions: isKnown ? ownLive.reduce((sum, { sessions }) => sum + (sessions ?? 0), 0) : null,
      busy_sessions: live.filter(({ directory }) => working.has(directory)).reduce((sum, { busy }) => sum + busy, 0),
    }
  }
  return new Map(rows.map((row) => [row.id, liveOf(row)]))
}
