// The dependencies of project operations, and the locations of a project's files.

import { type ProjectStatus, SwitchyardError } from '@switchyard/contracts'
import {
  type DeployKeys,
  parseRepositoryUrl,
  type Repositories,
  type RepositoryAccess,
  type RepositoryIdentity,
} from '@switchyard/git'
import { findProject, type ProjectRow, type Records } from '@switchyard/records'
import type { Layout } from '@switchyard/workspace'
import type { Logger } from 'pino'
import type { ServerPool } from '../servers/server-pool.ts'

export type ProjectDeps = {
  readonly records: Records
  readonly repositories: Repositories
  readonly keys: DeployKeys
  readonly access: RepositoryAccess
  readonly servers: ServerPool
  readonly layout: Layout
  readonly logger: Logger
}

export type Registered = { readonly row: ProjectRow; readonly identity: RepositoryIdentity }

/** @throws SwitchyardError `project_not_found` */
export const readRegistered = async (deps: Pick<ProjectDeps, 'records'>, projectId: string): Promise<Registered> => {
  const row = await findProject(deps.records.db, projectId)
  if (!row?.registered_at) throw new SwitchyardError('project_not_found', `${projectId} is not registered`)
  return { row, identity: parseRepositoryUrl(row.url) }
}

/** @throws SwitchyardError `project_not_found`, `project_not_ready` */
export const readReady = async (
  deps: ProjectDeps,
  projectId: string,
): Promise<Registered & { readonly baseDir: string }> => {
  const registered = await readRegistered(deps, projectId)
  const { status, base_dir: baseDir, url } = registered.row
  const usable: readonly ProjectStatus[] = ['ready', 'stopped']
  if (!usable.includes(status) || baseDir === null)
    throw new SwitchyardError('project_not_ready', `${url} is ${status}`)
  return { ...registered, baseDir }
}

/** Runs one change of a project at a time across all workers. */
export const alone = <T>(deps: Pick<ProjectDeps, 'records'>, projectId: string, work: () => Promise<T>): Promise<T> =>
  deps.records.withLock(`project:${projectId}`, work)
