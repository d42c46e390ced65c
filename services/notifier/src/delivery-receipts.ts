// Records delivered notifications in batches: while one statement runs, further ones are collected for the next.

import { type DeliveryRow, markArrived, type Records } from '@switchyard/records'

type Waiting = { readonly row: DeliveryRow; readonly written: PromiseWithResolvers<void> }

export class DeliveryReceipts {
  readonly #records: Records
  #waiting: Waiting[] = []
  #isWriting = false

  constructor(records: Records) {
    this.#records = records
  }

  /** Resolves when the delivery is recorded. @throws SwitchyardError `database_unavailable` */
  async add(row: DeliveryRow): Promise<void> {
    const written = Promise.withResolvers<void>()
    this.#waiting.push({ row, written })
    if (!this.#isWriting) void this.#write()
    await written.promise
  }

  async #write(): Promise<void> {
    this.#isWriting = true
    for (let batch = this.#waiting.splice(0); batch.length > 0; batch = this.#waiting.splice(0))
      try {
        await markArrived(
          this.#records.db,
          batch.map(({ row }) => row.id),
        )
        for (const { written } of batch) written.resolve()
      } catch (error) {
        for (const { written } of batch) written.reject(error)
      }
    this.#isWriting = false
  }
}
