// How many tasks wait, and the refusal when there are too many: counted twice a second while there is room, not at every call.

import { SwitchyardError } from '@switchyard/contracts'
import { countQueued, type Records } from '@switchyard/records'

const FRESH_MS = 500

export class Backlog {
  readonly #records: Records
  readonly #max: number
  #count = 0
  #at = Number.NEGATIVE_INFINITY

  /** @param max - tasks that may wait; 0: as many as come. */
  constructor(records: Records, max: number) {
    this.#records = records
    this.#max = max
  }

  /** @throws SwitchyardError `queue_full`, which says how long the queue is. */
  async check(): Promise<void> {
    if (this.#max === 0) return
    // Between two counts those that begin to run are not seen: nobody is refused by an old count.
    if (performance.now() - this.#at > FRESH_MS || this.#count >= this.#max) {
      this.#at = performance.now()
      this.#count = await countQueued(this.#records.db)
    }
    if (this.#count >= this.#max)
      throw new SwitchyardError('queue_full', `${this.#count} tasks wait already, and ${this.#max} may`, {
        context: { waiting: this.#count, max: this.#max },
      })
    this.#count++
  }
}
