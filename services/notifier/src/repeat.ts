// Work that is done again and again, one at a time; a failure waits for the next round.

import type { Logger } from 'pino'

export type Repeated = { readonly stop: () => Promise<void> }

export const repeat = (everyMs: number, what: string, work: () => Promise<void>, logger: Logger): Repeated => {
  let running: Promise<void> | null = null
  let isFailing = false
  const round = async () => {
    try {
      await work()
      isFailing = false
    } catch (error) {
      // Once for an outage, not with every round of it.
      if (!isFailing) logger.warn({ err: error }, `${what} was cut short; it is tried again`)
      isFailing = true
    }
  }
  const timer = setInterval(() => {
    running ??= round().finally(() => {
      running = null
    })
  }, everyMs)
  return {
    stop: async () => {
      clearInterval(timer)
      await running
    },
  }
}
