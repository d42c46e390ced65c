// Waits for a condition on a task. Wakes on its event feed, and polls in case a signal is lost.

import type { TaskId } from '@switchyard/contracts'
import type { TaskFeeds } from '../task-events/task-feeds.ts'

export type WaitOptions = {
  readonly id: TaskId
  readonly feeds: TaskFeeds
  readonly timeoutMs: number
  /** Poll interval, ms. */
  readonly everyMs: number
  /** Aborts when the caller disconnects, which ends the wait. */
  readonly signal: AbortSignal | undefined
}

/**
 * Calls `read` until it returns a value, the time limit is reached, or the caller disconnects.
 *
 * @returns the value; undefined without one
 */
export const waitUntil = async <T>(
  options: WaitOptions,
  read: () => Promise<T | undefined>,
): Promise<T | undefined> => {
  const { id, feeds, timeoutMs, everyMs, signal } = options
  const deadline = Date.now() + timeoutMs
  let wake = Promise.withResolvers<void>()
  const onProgress = () => wake.resolve()
  signal?.addEventListener('abort', onProgress, { once: true })
  const subscription = await feeds.follow(id, { onProgress, onClose: onProgress })
  try {
    for (;;) {
      wake = Promise.withResolvers<void>()
      const found = await read()
      const left = deadline - Date.now()
      if (found !== undefined || left <= 0 || signal?.aborted || feeds.closed) return found
      const timer = setTimeout(() => wake.resolve(), Math.min(left, everyMs))
      await wake.promise
      clearTimeout(timer)
    }
  } finally {
    subscription.stop()
    signal?.removeEventListener('abort', onProgress)
  }
}
