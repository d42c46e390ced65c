// A Docker engine or a database that is away is waited for: nothing is known to be wrong with the task.

import { setTimeout as delay } from 'node:timers/promises'
import { isSwitchyardError } from '@switchyard/contracts'
import type { Logger } from 'pino'
import type { Interrupt } from '../interrupt.ts'

const RETRY_MS = { first: 250, most: 2_000 } as const

export class Patience {
  readonly #interrupt: Interrupt
  readonly #logger: Logger

  constructor(interrupt: Interrupt, logger: Logger) {
    this.#interrupt = interrupt
    this.#logger = logger
  }

  /** @throws Interrupted, and whatever the call throws that waiting does not help. */
  async forEngine<T>(make: () => Promise<T>): Promise<T> {
    for (let wait: number = RETRY_MS.first; ; wait = Math.min(wait * 2, RETRY_MS.most)) {
      this.#interrupt.check()
      try {
        return await make()
      } catch (error) {
        this.#interrupt.check()
        const isAway =
          isSwitchyardError(error, 'docker_unavailable') || isSwitchyardError(error, 'database_unavailable')
        if (!isAway) throw error
        this.#logger.warn({ err: error.message }, 'waiting for what is away')
        await delay(wait, undefined, { signal: this.#interrupt.signal }).catch(() => undefined)
      }
    }
  }
}
