// Waits for something to become true of a task: woken by its feed, looked at again from time to time, never for long.

import type { TaskId } from '@switchyard/contracts'
import type { TaskFeeds } from '../task-events/task-feeds.ts'

export type Until = {
  readonly id: TaskId
  readonly feeds: TaskFeeds
  readonly timeoutMs: number
  /** How often to look without being woken, ms. */
  readonly everyMs: number
  /** The caller’s connection: nobody waits for who has gone. */
  readonly signal: AbortSignal | undefined
}

/**
 * Looks until `look` finds something, the time is over, or the caller has gone.
 *
 * @returns what was found; undefined where nothing was.
 */
export const until = async <T>(options: Until, look: () => Promise<T | undefined>): Promise<T | undefined> => {
  const { id, feeds, timeoutMs, everyMs, signal } = options
  const ends = Date.now() + timeoutMs
  let wake = Promise.withResolvers<void>()
  const onProgress = () => wake.resolve()
  signal?.addEventListener('abort', onProgress, { once: true })
  const following = await feeds.follow(id, { onProgress, onClose: onProgress })
  try {
    for (;;) {
      wake = Promise.withResolvers<void>()
      const found = await look()
      const left = ends - Date.now()
      if (found !== undefined || left <= 0 || signal?.aborted || feeds.closed) return found
      const timer = setTimeout(() => wake.resolve(), Math.min(left, everyMs))
      await wake.promise
      clearTimeout(timer)
    }
  } finally {
    following.stop()
    signal?.removeEventListener('abort', onProgress)
  }
}
