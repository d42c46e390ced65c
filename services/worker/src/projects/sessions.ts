// Deletes the sessions of a directory before it is removed.

import { isSwitchyardError } from '@switchyard/contracts'
import type { ProjectRow } from '@switchyard/records'
import type { ProjectDeps } from './deps.ts'

/** Deletes the sessions of exactly this managed directory, never those of a user's own checkout. */
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
    // Sessions that remain refer to a missing directory and do no harm.
    if (!isSwitchyardError(error)) throw error
    logger.info({ directory, err: error.message }, 'failed to delete the sessions of a removed directory')
  }
}
