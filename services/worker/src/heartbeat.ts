// Tells the record, every second, that this worker is alive, and what it can run now. A worker that is silent loses its tasks.

import type { Lane, WorkerId } from '@switchyard/contracts'
import { forgetSilentWorkers, type Records, removeWorker, reportWorker } from '@switchyard/records'
import type { Logger } from 'pino'

const INTERVAL_MS = 1_000

export type Heartbeat = { readonly lastReport: () => number; readonly stop: () => Promise<void> }

/** Resolves after the first report: a task that is taken now has a living owner. */
export const startHeartbeat = async (
  records: Records,
  worker: {
    readonly id: WorkerId
    readonly hostname: string
    readonly concurrency: number
    readonly lanes: () => readonly Lane[]
  },
  logger: Logger,
): Promise<Heartbeat> => {
  let last = 0
  let running: Promise<void> = Promise.resolve()
  const report = async () => {
    await reportWorker(records.db, { ...worker, lanes: worker.lanes() })
    last = Date.now()
  }
  await report()
  await forgetSilentWorkers(records.db)
  let busy = false
  const timer = setInterval(() => {
    // A report that hangs must not pile up others behind it.
    if (busy) return
    busy = true
    running = report()
      .catch((error: Error) => logger.warn({ err: error.message }, 'the heartbeat was not written'))
      .finally(() => {
        busy = false
      })
  }, INTERVAL_MS)
  return {
    lastReport: () => last,
    stop: async () => {
      clearInterval(timer)
      await running
      await removeWorker(records.db, worker.id).catch((error: Error) =>
        logger.warn({ err: error.message }, 'the worker could not sign off'),
      )
    },
  }
}
