// Aborts the sessions of ended tasks whose server did not answer when the task ended.

import { isSwitchyardError } from '@switchyard/contracts'
import { findPendingAborts, markAborted, type Records, settleAbortsOfStopped } from '@switchyard/records'
import type { Logger } from 'pino'
import type { ServerPool } from '../servers/server-pool.ts'

const BATCH = 50

export type PendingAbortsDeps = {
  readonly records: Records
  readonly servers: Pick<ServerPool, 'running'>
  readonly logger: Logger
}

/**
 * @throws SwitchyardError of the client and the database; the remaining sessions are aborted in the
 *   next round.
 */
export const abortPendingSessions = async ({ records, servers, logger }: PendingAbortsDeps): Promise<void> => {
  await settleAbortsOfStopped(records.db)
  for (const { id, server } of servers.running())
    for (const row of await findPendingAborts(records.db, id, BATCH)) {
      if (row.session_id !== null && row.directory !== null) {
        try {
          await server.client.abortTree({ sessionId: row.session_id, directory: row.directory })
        } catch (error) {
          if (!isSwitchyardError(error, 'session_lost')) throw error
        }
      }
      await markAborted(records.db, row.id)
      logger.info({ task_id: row.id }, 'aborted the session of an ended task')
    }
}
