// What has been started, to be stopped in the opposite order, each step within its own limit.

import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'

export type StopSteps = {
  /** Remembers how to stop a part that has just started. */
  add(name: string, limitMs: number, stop: () => void | Promise<void>): void
  /** Stops all parts, the last started first. A step that fails or takes too long is logged, and the next one runs. Safe to call twice. */
  run(): Promise<void>
}

export const createStopSteps = (logger: Pick<Logger, 'warn'>): StopSteps => {
  const steps: { readonly name: string; readonly limitMs: number; readonly stop: () => void | Promise<void> }[] = []
  let running: Promise<void> | undefined

  const runAll = async (): Promise<void> => {
    for (let step = steps.pop(); step !== undefined; step = steps.pop()) {
      const { name, limitMs, stop } = step
      const late = new AbortController()
      try {
        const outcome = await Promise.race([
          Promise.resolve(stop()).then(() => 'stopped'),
          sleep(limitMs, 'late', { signal: late.signal }),
        ])
        if (outcome === 'late') logger.warn({ part: name, limit_ms: limitMs }, 'a part did not stop in time')
      } catch (error) {
        logger.warn({ part: name, err: error }, 'a part failed to stop')
      } finally {
        late.abort()
      }
    }
  }

  return {
    add: (name, limitMs, stop) => void steps.push({ name, limitMs, stop }),
    run: () => {
      running ??= runAll()
      return running
    },
  }
}
