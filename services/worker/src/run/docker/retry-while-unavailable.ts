// Retries a call while the Docker engine or the database is unavailable: nothing is wrong with the
// task then.

import { setTimeout as delay } from 'node:timers/promises'
import { isSwitchyardError } from '@switchyard/contracts'
import type { Logger } from 'pino'
import type { Interrupt } from '../interrupt.ts'

const RETRY_MS = { first: 250, most: 2_000 } as const

/** @throws Interrupted; every error of the call that does not mean unavailability. */
export type Retry = <T>(call: () => Promise<T>) => Promise<T>

export const retryWhileUnavailable =
  (interrupt: Interrupt, logger: Logger): Retry =>
  async (call) => {
    for (let wait: number = RETRY_MS.first; ; wait = Math.min(wait * 2, RETRY_MS.most)) {
      interrupt.check()
      try {
        return await call()
      } catch (error) {
        interrupt.check()
        const isUnavailable =
          isSwitchyardError(error, 'docker_unavailable') || isSwitchyardError(error, 'database_unavailable')
        if (!isUnavailable) throw error
        logger.warn({ err: error.message }, 'Docker or database unavailable; retrying')
        await delay(wait, undefined, { signal: interrupt.signal }).catch(() => undefined)
      }
    }
  }
