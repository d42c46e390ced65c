// Sessions of a directory of ours that goes.

import { isSwitchyardError } from '@switchyard/contracts'
import type { ProjectDeps } from './deps.ts'

/** Deletes the sessions of exactly this directory, which we made: never those of a checkout that is somebody's own. */
export const deleteSessions = async ({ server, logger }: ProjectDeps, directory: string): Promise<void> => {
  if (!server) return
  try {
    for (const session of await server.client.sessions(directory)) {
      const ref = { sessionId: session.id, directory }
      await server.client.abortTree(ref)
      await server.client.deleteSession(ref)
    }
    await server.client.disposeDirectory(directory)
  } catch (error) {
    // What is left of them leads nowhere.
    if (!isSwitchyardError(error)) throw error
    logger.info({ directory, err: error.message }, 'sessions were not deleted')
  }
}
