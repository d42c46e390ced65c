// The position up to which the events of all tasks can be read without missing one that is still being written. The
// query behind it is explained in records/feed.ts.

import { type Records, readLastPosition, readOldestRunning, takeTransactionId } from '@switchyard/records'

export class Horizon {
  readonly #records: Records
  /** The next position to advance to, once every transaction before `transaction` has ended. */
  #next: { readonly position: number; readonly transaction: bigint } | undefined
  #position = 0

  constructor(records: Records) {
    this.#records = records
  }

  /** The horizon: no event with a position up to it can appear any more. */
  get position(): number {
    return this.#position
  }

  /** Whether a transaction may still be writing events above the horizon. */
  get isWaiting(): boolean {
    return this.#next !== undefined
  }

  /** Advances the horizon if possible. Must not run concurrently. @throws SwitchyardError `database_unavailable` */
  async advance(): Promise<void> {
    const { db } = this.#records
    if (this.#next === undefined) {
      const position = await readLastPosition(db)
      if (position === this.#position) return
      // Read after the position, so that every transaction that took a position up to it has a lower id.
      this.#next = { position, transaction: await takeTransactionId(db) }
    }
    if ((await readOldestRunning(db)) < this.#next.transaction) return
    this.#position = this.#next.position
    this.#next = undefined
  }
}
