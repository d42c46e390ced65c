// Stops a project: what runs in its directories ends its turn, and its server forgets them. Sessions and files stay.

import { isSwitchyardError } from '@switchyard/contracts'
import { listSandboxes, requestOfServer, updateProject } from '@switchyard/records'
import { alone, type ProjectDeps, readRegistered } from './deps.ts'

/** Safe to repeat. */
export const stopProject = async (deps: ProjectDeps, projectId: string): Promise<void> =>
  await alone(deps, projectId, async () => {
    const { row } = await readRegistered(deps, projectId)
    const sandboxes = await listSandboxes(deps.records.db, [projectId])
    const directories = [...(row.base_dir === null ? [] : [row.base_dir]), ...sandboxes.map(({ path }) => path)]
    // Of its own server nothing is needed any more once its turns have ended.
    const isDedicated = row.isolation === 'dedicated'
    const server = deps.servers.runningFor(row)
    for (const directory of directories)
      await server?.client.disposeDirectory(directory).catch((error: unknown) => {
        // A server that is away holds nothing.
        if (!isSwitchyardError(error, 'opencode_unavailable')) throw error
      })
    if (isDedicated) await requestOfServer(deps.records.db, projectId, 'stop')
    // One that was never ready stays what it is.
    if (row.status === 'ready') await updateProject(deps.records.db, projectId, { status: 'stopped', detail: null })
  })
