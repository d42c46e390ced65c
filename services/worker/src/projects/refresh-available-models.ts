// Records the models and agents available in each project, so that they are known before its first use.

import { access } from 'node:fs/promises'
import path from 'node:path'
import { parseRepositoryUrl } from '@switchyard/git'
import { findProject, type ProjectRow, saveAvailableModels } from '@switchyard/records'
import { toAvailableModels } from '../servers/available-models.ts'
import type { ProjectDeps } from './deps.ts'

/** What makes a directory's OpenCode differ from its server's. */
const OWN_CONFIGURATION = ['opencode.json', 'opencode.jsonc', '.opencode'] as const

const isThere = (file: string): Promise<boolean> =>
  access(file).then(
    () => true,
    () => false,
  )

const hasOwnConfiguration = async (directory: string): Promise<boolean> =>
  (await Promise.all(OWN_CONFIGURATION.map((name) => isThere(path.join(directory, name))))).includes(true)

/**
 * Queries a project's server only where its answer can differ from the shared one: the first query for a directory costs
 * the server half a second and 4 to 13 MB. Does not start a stopped server.
 *
 * @throws SwitchyardError of the client and the database
 */
export const refreshAvailableModels = async (
  { records, servers, repositories }: Pick<ProjectDeps, 'records' | 'servers' | 'repositories'>,
  project: ProjectRow,
  signal: AbortSignal,
): Promise<void> => {
  const directory = project.base_dir
  if (directory === null || !(await isThere(directory))) return
  const { branch } = await repositories.checkedOut(parseRepositoryUrl(project.url), directory)
  const differs = project.isolation === 'dedicated' || (await hasOwnConfiguration(directory))
  const server = servers.runningFor(project)
  const isUp = server?.state().status === 'up'
  const models = differs
    ? isUp
      ? toAvailableModels(await servers.directories.warm(server, directory, signal))
      : undefined
    : null
  // Destroyed meanwhile.
  if ((await findProject(records.db, project.id))?.registered_at)
    await saveAvailableModels(records.db, project.id, { models, branch })
}
