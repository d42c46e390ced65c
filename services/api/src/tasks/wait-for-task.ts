// Waits until a task ends or needs input.

import { isTerminal, LIMITS, type Task, type TaskId } from '@switchyard/contracts'
import { findTask, readProgress } from '@switchyard/records'
import type { TaskDeps } from './deps.ts'
import { waitUntil } from './wait-until.ts'

const POLL_MS = 2_000

const isSettled = (task: Task): boolean =>
  isTerminal(task.status) || (task.status === 'input_required' && task.requests.length > 0)

/**
 * Waits until the task ends or needs input.
 *
 * @param waitMs - limit of the wait, ms; the maximum is `LIMITS.maxWaitMs`
 * @returns the record after the wait; undefined if there is no such task
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
      ? await waitUntil({ id, feeds, timeoutMs, everyMs: POLL_MS, signal }, async () => {
          // A task with many events wakes this often, so the cheap query comes first.
          const [progress] = await readProgress(records.db, [id])
          if (progress && !isTerminal(progress.status) && progress.status !== 'input_required') return undefined
          const task = await findTask(records.db, id)
          return task && isSettled(task) ? task : undefined
        })
      : undefined
  return settled ?? (await findTask(records.db, id))
}
