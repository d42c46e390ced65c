// Writes down what has arrived: while one statement is under way, what arrives meanwhile is collected for the next.

import { type DeliveryRow, markArrived, type Records } from '@switchyard/records'

type Waiting = { readonly row: DeliveryRow; readonly written: PromiseWithResolvers<void> }

export class Arrivals {
  readonly #records: Records
  #waiting: Waiting[] = []
  #isWriting = false

  constructor(records: Records) {
    this.#records = records
  }

  /** Resolves once it is in the record. @throws SwitchyardError `database_unavailable` */
  async add(row: DeliveryRow): Promise<void> {
    const written = Promise.withResolvers<void>()
    this.#waiting.push({ row, written })
    if (!this.#isWriting) void this.#write()
    await written.promise
  }

  async #write(): Promise<void> {
    this.#isWriting = true
    for (let some = this.#waiting.splice(0); some.length > 0; some = this.#waiting.splice(0))
      try {
        await markArrived(
          this.#records.db,
          some.map(({ row }) => row.id),
        )
        for (const { written } of some) written.resolve()
      } catch (error) {
        for (const { written } of some) written.reject(error)
      }
    this.#isWriting = false
  }
}
