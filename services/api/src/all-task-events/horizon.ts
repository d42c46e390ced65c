// How far the events of all tasks can be read without passing one that is still being written. See records/feed.ts.

import { type Records, readLastPosition, readOldestRunning, takeTransactionId } from '@switchyard/records'

export class Horizon {
  readonly #records: Records
  /** A position that was taken, and the transaction before which all have to end until it can be read up to. */
  #mark: { readonly position: number; readonly transaction: bigint } | undefined
  #position = 0

  constructor(records: Records) {
    this.#records = records
  }

  /** Everything up to here is there, or never will be. */
  get position(): number {
    return this.#position
  }

  /** Some position above was taken by a transaction that may still be running. */
  get isWaiting(): boolean {
    return this.#mark !== undefined
  }

  /** Looks once; to be called one at a time. @throws SwitchyardError `database_unavailable` */
  async look(): Promise<void> {
    const { db } = this.#records
    if (this.#mark === undefined) {
      const position = await readLastPosition(db)
      if (position === this.#position) return
      // After the position: whoever took one up to it has a lower id.
      this.#mark = { position, transaction: await takeTransactionId(db) }
    }
    if ((await readOldestRunning(db)) < this.#mark.transaction) return
    this.#position = this.#mark.position
    this.#mark = undefined
  }
}
