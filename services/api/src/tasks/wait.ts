// Holds a call until its task ends or asks.

import { isTerminal, LIMITS, type Task, type TaskId } from '@switchyard/contracts'
import { findTask, readProgress } from '@switchyard/records'
import type { TaskDeps } from './deps.ts'
import { until } from './until.ts'

const EVERY_MS = 2_000

const isSettled = (task: Task): boolean =>
  isTerminal(task.status) || (task.status === 'input_required' && task.requests.length > 0)

/**
 * @param waitMs - at most this long, and never longer than `LIMITS.maxWaitMs`.
 * @returns the record as it is then, settled or not; undefined where there is no such task.
 */
export const waitForTask = async (
  deps: TaskDeps,
  id: TaskId,
  waitMs: number,
  signal: AbortSignal | undefined,
): Promise<Task | undefined> => {
  const { records, feeds } = deps
  const timeoutMs = Math.min(waitMs, LIMITS.maxWaitMs)
  const settled =
    timeoutMs > 0
      ? await until({ id, feeds, timeoutMs, everyMs: EVERY_MS, signal }, async () => {
          // A task that writes many events wakes us often: the light question comes first.
          const [progress] = await readProgress(records.db, [id])
          if (progress && !isTerminal(progress.status) && progress.status !== 'input_required') return undefined
          const task = await findTask(records.db, id)
          return task && isSettled(task) ? task : undefined
        })
      : undefined
  return settled ?? (await findTask(records.db, id))
}
