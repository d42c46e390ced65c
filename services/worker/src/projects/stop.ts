// Stops a project: what runs in its directories ends its turn, and its server forgets them. Sessions and files stay.

import { isSwitchyardError } from '@switchyard/contracts'
import { listSandboxes, updateProject } from '@switchyard/records'
import { alone, type ProjectDeps, readRegistered } from './deps.ts'

/** Safe to repeat. */
export const stopProject = async (deps: ProjectDeps, projectId: string): Promise<void> =>
  await alone(deps, projectId, async () => {
    const { row } = await readRegistered(deps, projectId)
    const sandboxes = await listSandboxes(deps.records.db, [projectId])
    const directories = [...(row.base_dir === null ? [] : [row.base_dir]), ...sandboxes.map(({ path }) => path)]
    for (const directory of directories)
      await deps.server?.client.disposeDirectory(directory).catch((error: unknown) => {
        // A server that is away holds nothing.
        if (!isSwitchyardError(error, 'opencode_unavailable')) throw error
      })
    // One that was never ready stays what it is.
    if (row.status === 'ready') await updateProject(deps.records.db, projectId, { status: 'stopped', detail: null })
  })
