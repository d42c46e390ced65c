// Sessions of a directory of ours that goes.

import { isSwitchyardError } from '@switchyard/contracts'
import type { ProjectRow } from '@switchyard/records'
import type { ProjectDeps } from './deps.ts'

/** Deletes the sessions of exactly this directory, which we made: never those of a checkout that is somebody's own. */
export const deleteSessions = async (
  { servers, logger }: ProjectDeps,
  project: Pick<ProjectRow, 'id' | 'isolation'>,
  directory: string,
): Promise<void> => {
  if (!servers.shared && project.isolation === 'shared') return
  try {
    await servers.with(project, async ({ client }) => {
      for (const session of await client.sessions(directory)) {
        const ref = { sessionId: session.id, directory }
        await client.abortTree(ref)
        await client.deleteSession(ref)
      }
      await client.disposeDirectory(directory)
    })
  } catch (error) {
    // What is left of them leads nowhere.
    if (!isSwitchyardError(error)) throw error
    logger.info({ directory, err: error.message }, 'sessions were not deleted')
  }
}
