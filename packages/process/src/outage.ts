// Logs repeated failures once: one warning when they begin, one line when they are over.

import type { Logger } from '@switchyard/config'

export type OutageLogger = Pick<Logger, 'debug' | 'info' | 'warn'>

export class Outage {
  readonly #name: string
  readonly #logger: OutageLogger
  #failures = 0

  /** @param name - what fails, as the subject of a log line: `task sweep`. */
  constructor(name: string, logger: OutageLogger) {
    this.#name = name
    this.#logger = logger
  }

  /** Logs the first failure as a warning and the following ones at `debug`. */
  fail(facts: object): void {
    this.#failures += 1
    this.#logger[this.#failures === 1 ? 'warn' : 'debug'](facts, `${this.#name} failed; retrying`)
  }

  /** Logs the recovery if there was a failure before. */
  recover(): void {
    if (this.#failures === 0) return
    this.#logger.info({ failures: this.#failures }, `${this.#name} recovered`)
    this.#failures = 0
  }
}
