// Logs which component the start waits for when it takes long, so that a start that hangs can be diagnosed.

import type { Logger } from 'pino'

const INTERVAL_MS = 10_000

export type StartProgress = Disposable & {
  /** Names the component that the start waits for from now on. */
  waitFor(component: string): void
}

/** Logs a warning every 10 s until it is disposed. */
export const createStartProgress = (logger: Pick<Logger, 'warn'>): StartProgress => {
  const beganAt = performance.now()
  let component = ''
  const timer = setInterval(() => {
    logger.warn({ component, seconds: Math.round((performance.now() - beganAt) / 1_000) }, 'still starting')
  }, INTERVAL_MS)
  return {
    waitFor: (next) => {
      component = next
    },
    [Symbol.dispose]: () => clearInterval(timer),
  }
}
