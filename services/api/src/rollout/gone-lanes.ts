// Which lanes nobody takes: none that is alive, for longer than a worker needs to start anew.

import { LANES, type Lane } from '@switchyard/contracts'

/** A worker that is replaced is back within this time, ms: until then its tasks wait for it. */
const REPLACED_MS = 10_000

export class GoneLanes {
  readonly #seenAt = new Map<Lane, number>()

  /** @param live - live workers by lane. @param at - a steady clock, ms. @returns lanes that are gone, or were never there. */
  see(live: ReadonlyMap<Lane, number>, at: number): ReadonlySet<Lane> {
    for (const [lane, workers] of live) if (workers > 0) this.#seenAt.set(lane, at)
    return new Set(LANES.filter((lane) => at - (this.#seenAt.get(lane) ?? Number.NEGATIVE_INFINITY) > REPLACED_MS))
  }
}
