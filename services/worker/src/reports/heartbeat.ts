// Records every second that this worker is alive and what it can run now. A worker that stops
// reporting loses its tasks.

import type { QueueName, WorkerId } from '@switchyard/contracts'
import { repeat } from '@switchyard/process'
import { forgetSilentWorkers, type Records, removeWorker, reportWorker } from '@switchyard/records'
import type { Logger } from 'pino'

const INTERVAL_MS = 1_000

export type Heartbeat = {
  /** Returns the time of the last report, ms since 1970. */
  readonly lastReport: () => number
  readonly stop: () => Promise<void>
}

/**
 * Resolves after the first report, so that every task that the worker claims has a living owner.
 */
export const startHeartbeat = async (
  records: Records,
  worker: {
    readonly id: WorkerId
    readonly hostname: string
    readonly concurrency: number
    readonly queueNames: () => readonly QueueName[]
    readonly startsServers: () => boolean
  },
  logger: Logger,
): Promise<Heartbeat> => {
  let reportedAt = 0
  const report = async () => {
    await reportWorker(records.db, {
      ...worker,
      queueNames: worker.queueNames(),
      startsServers: worker.startsServers(),
    })
    reportedAt = Date.now()
  }
  await report()
  await forgetSilentWorkers(records.db)
  const reporting = repeat({ name: 'worker heartbeat', everyMs: INTERVAL_MS, work: report, logger })
  return {
    lastReport: () => reportedAt,
    stop: async () => {
      await reporting.stop()
      await removeWorker(records.db, worker.id).catch((error: Error) =>
        logger.warn({ err: error.message }, 'failed to remove the worker from the record'),
      )
    },
  }
}
