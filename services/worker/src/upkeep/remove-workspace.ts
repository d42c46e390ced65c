// Removes the working directory of an ended task, with its session. Work that nobody has fetched is
// bundled first.

import { rm } from 'node:fs/promises'
import { bundleSinceBase, findOwnGitDirectory, type Repositories, type RepositoryIdentity } from '@switchyard/git'
import { countOpenTasks, findProject, markWorkspaceRemoved, type Records, type TaskRow } from '@switchyard/records'
import { type Layout, objectDirectories, projectIdentity } from '@switchyard/workspace'
import type { Logger } from 'pino'
import { saveCloneBeforeRemoval } from '../projects/work.ts'
import type { ServerPool } from '../servers/server-pool.ts'

export type RemoveWorkspaceDeps = {
  readonly records: Records
  readonly servers: ServerPool
  readonly repositories: Repositories
  readonly layout: Layout
  readonly logger: Logger
}

/** Safe to repeat. @throws SwitchyardError of git, the disk and the client */
export const removeWorkspace = async (deps: RemoveWorkspaceDeps, row: TaskRow): Promise<void> => {
  const { records, layout } = deps
  // A task in a sandbox has no directory of its own.
  if (row.directory === layout.task(row) && row.base_commit !== null) {
    const identity = row.project_id === null ? null : await projectIdentity(records, row.project_id)
    await saveWork(deps, row, row.directory, row.base_commit, identity)
    if (row.mode === 'docker') await removeContainerFiles(layout, row)
    else await removeDirectory(deps, row, row.directory, identity)
  }
  await markWorkspaceRemoved(records.db, row.id)
  if (row.project_id !== null) await removeUnusedClone(deps, row.project_id)
}

const saveWork = async (
  deps: RemoveWorkspaceDeps,
  row: TaskRow,
  directory: string,
  base: string,
  identity: RepositoryIdentity | null,
): Promise<void> => {
  const { repositories, layout } = deps
  const gitDirectory = identity ? repositories.work.gitDirectoryOf(identity, directory) : findOwnGitDirectory(directory)
  await bundleSinceBase({
    directory,
    base,
    objectDirs: await objectDirectories(deps, row),
    // If the agent has damaged its repository, what can be read is saved.
    gitDirectory: await gitDirectory.catch(() => undefined),
    ...(identity ? { remoteTips: await repositories.remoteTips(identity) } : {}),
    file: layout.bundle(`${row.id}.bundle`),
    branch: row.branch ?? row.id,
  })
}

/** The clone and the session of a task in Docker mode are in its own directory. */
const removeContainerFiles = async (layout: Layout, { id }: TaskRow): Promise<void> => {
  await rm(layout.container(id).root, { recursive: true, force: true })
  await rm(layout.output(id), { recursive: true, force: true })
}

const removeDirectory = async (
  { repositories, layout, servers }: RemoveWorkspaceDeps,
  row: TaskRow,
  directory: string,
  identity: RepositoryIdentity | null,
): Promise<void> => {
  if (identity) await repositories.removeWorktree(identity, directory, layout.tasks)
  else await rm(directory, { recursive: true, force: true })
  // The session is deleted by its id: the server may have sessions that are not Switchyard's. It is
  // not started for this.
  const server = servers.peek(row.server_id)
  if (row.session_id === null || !server) return
  await server.client.deleteSession({ sessionId: row.session_id, directory })
  await server.client.disposeDirectory(directory)
}

/** Removes the clone of a repository that nobody registered, once no task needs it. */
const removeUnusedClone = async (deps: RemoveWorkspaceDeps, projectId: string): Promise<void> => {
  const { records, repositories } = deps
  const identity = await projectIdentity(records, projectId)
  await records.withLock(`project:${projectId}`, async () => {
    if ((await findProject(records.db, projectId))?.registered_at) return
    await repositories.removeClones(identity, async () => {
      if ((await countOpenTasks(records.db, [projectId])).length > 0) return false
      await saveCloneBeforeRemoval(deps, identity, { goes: [], force: true, isThin: true })
      return true
    })
  })
}
