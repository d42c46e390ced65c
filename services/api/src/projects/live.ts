// What lives in projects at this moment, as their servers' event streams tell it to the record: nobody is asked for it.

import {
  type ListedServer,
  openTaskDirectories,
  type ProjectRow,
  type Records,
  type SandboxRow,
  type ServerRow,
} from '@switchyard/records'
import type { Servers } from '../servers/list.ts'

type Told = Pick<ServerRow | ListedServer, 'live'>

export type ProjectLive = { readonly sessions: number | null; readonly busy_sessions: number }

/** The servers that a project is on: more than one where each worker of its pool has one. */
const serversOf = ({ id, isolation, pool }: ProjectRow, { shared, dedicated }: Servers): readonly Told[] =>
  isolation === 'dedicated'
    ? dedicated.filter((row) => row.project_id === id && row.is_kept)
    : shared.filter((row) => row.pool === pool && row.state !== 'down')

/** By project. */
export const liveOfProjects = async (
  records: Records,
  servers: Servers,
  rows: readonly ProjectRow[],
  sandboxes: readonly SandboxRow[],
): Promise<ReadonlyMap<string, ProjectLive>> => {
  const tasks = await openTaskDirectories(
    records.db,
    rows.map(({ id }) => id),
  )
  const liveOf = (row: ProjectRow): ProjectLive => {
    const ofProject = ({ project_id }: { readonly project_id: string | null }) => project_id === row.id
    const owned = new Set([row.base_dir, ...sandboxes.filter(ofProject).map(({ path }) => path)])
    const working = new Set([...owned, ...tasks.filter(ofProject).map(({ directory }) => directory)])
    const on = serversOf(row, servers)
    const told = on.flatMap(({ live }) => live)
    const here = told.filter(({ directory }) => owned.has(directory))
    const isAsked = on.length > 0 && here.every(({ sessions }) => sessions !== null)
    return {
      sessions: isAsked ? here.reduce((sum, { sessions }) => sum + (sessions ?? 0), 0) : null,
      busy_sessions: told.filter(({ directory }) => working.has(directory)).reduce((sum, { busy }) => sum + busy, 0),
    }
  }
  return new Map(rows.map((row) => [row.id, liveOf(row)]))
}
