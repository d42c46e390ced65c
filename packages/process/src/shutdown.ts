// Stops what has been started in the opposite order, each component within its own time limit.

import type { Logger } from '@switchyard/config'

export type Shutdown = {
  /**
   * Registers how to stop a component that has just started.
   *
   * @param timeoutMs - how long the stop may take before the next component is stopped, ms.
   */
  add(component: string, timeoutMs: number, stop: () => void | Promise<void>): void
  /**
   * Stops all components, the last one added first, and logs each one that fails or exceeds its timeout. Safe to call
   * twice.
   *
   * @returns whether all of them stopped.
   */
  run(): Promise<boolean>
}

type Step = { readonly component: string; readonly timeoutMs: number; readonly stop: () => void | Promise<void> }

const stopStep = async ({ component, timeoutMs, stop }: Step, logger: Pick<Logger, 'warn'>): Promise<boolean> => {
  const { promise: expired, resolve: expire } = Promise.withResolvers<'expired'>()
  const timer = setTimeout(() => expire('expired'), timeoutMs)
  try {
    if ((await Promise.race([stop(), expired])) !== 'expired') return true
    logger.warn({ component, timeout_ms: timeoutMs }, 'component did not stop before the shutdown timeout')
  } catch (error) {
    logger.warn({ component, err: error }, 'component failed to stop')
  } finally {
    clearTimeout(timer)
  }
  return false
}

/**
 * Creates an empty shutdown sequence.
 *
 * @param totalMs - limit of the whole shutdown, ms; when it has passed, the remaining components are not waited for.
 */
export const createShutdown = (
  logger: Pick<Logger, 'warn'>,
  { totalMs = Number.POSITIVE_INFINITY }: { readonly totalMs?: number } = {},
): Shutdown => {
  const steps: Step[] = []
  let running: Promise<boolean> | undefined

  const runAll = async (): Promise<boolean> => {
    const deadline = performance.now() + totalMs
    let isClean = true
    for (let step = steps.pop(); step !== undefined; step = steps.pop()) {
      const leftMs = deadline - performance.now()
      if (leftMs <= 0) return false
      const isStopped = await stopStep({ ...step, timeoutMs: Math.min(step.timeoutMs, leftMs) }, logger)
      isClean &&= isStopped
    }
    return isClean
  }

  return {
    add: (component, timeoutMs, stop) => void steps.push({ component, timeoutMs, stop }),
    run: () => {
      running ??= runAll()
      return running
    },
  }
}
