// Reports every second that this notifier is alive, and problems that a person should fix. The deliveries
// of a notifier that has stopped reporting become due immediately.

import { hostname } from 'node:os'
import { repeat } from '@switchyard/process'
import {
  type Records,
  readBlockProblem,
  releaseFromSilentNotifiers,
  removeNotifier,
  reportNotifier,
} from '@switchyard/records'
import type { Logger } from 'pino'

const INTERVAL_MS = 1_000

const problemOf = async (records: Records): Promise<string | null> => {
  const blocks = await readBlockProblem(records.db)
  return blocks && `${blocks.count} memory blocks of agents cannot be updated: ${blocks.problem}`
}

export type Heartbeat = { readonly stop: () => Promise<void> }

/** Starts to report, and resolves after the first report. @throws SwitchyardError `database_unavailable` */
export const startHeartbeat = async (records: Records, id: string, logger: Logger): Promise<Heartbeat> => {
  const report = async () => {
    await reportNotifier(records.db, { id, hostname: hostname(), problem: await problemOf(records) })
    const released = await releaseFromSilentNotifiers(records.db)
    if (released > 0)
      logger.warn({ deliveries: released }, 'another notifier stopped responding; its deliveries are due again')
  }
  await report()
  const reporting = repeat({ name: 'notifier heartbeat', everyMs: INTERVAL_MS, work: report, logger })
  return {
    stop: async () => {
      await reporting.stop()
      await removeNotifier(records.db, id).catch((error: Error) =>
        logger.warn({ err: error.message }, 'failed to remove the notifier from the database'),
      )
    },
  }
}
