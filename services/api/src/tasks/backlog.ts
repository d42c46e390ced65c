// Limits the number of queued tasks. The count is cached for half a second while there is room.

import { SwitchyardError } from '@switchyard/contracts'
import { countQueued, type Records } from '@switchyard/records'

const FRESH_MS = 500

export class Backlog {
  readonly #records: Records
  readonly #max: number
  #count = 0
  #at = Number.NEGATIVE_INFINITY

  /** @param max - maximum number of queued tasks; 0 is unlimited */
  constructor(records: Records, max: number) {
    this.#records = records
    this.#max = max
  }

  /** Counts a new task. @throws SwitchyardError `queue_full` */
  async check(): Promise<void> {
    if (this.#max === 0) return
    // The cached count misses tasks that have started since, so no task is refused without a fresh count.
    if (performance.now() - this.#at > FRESH_MS || this.#count >= this.#max) {
      this.#at = performance.now()
      this.#count = await countQueued(this.#records.db)
    }
    if (this.#count >= this.#max)
      throw new SwitchyardError('queue_full', `${this.#count} tasks are queued, and the limit is ${this.#max}`, {
        context: { waiting: this.#count, max: this.#max },
      })
    this.#count++
  }
}
