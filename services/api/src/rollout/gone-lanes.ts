// Which lanes nobody takes: none that is alive, for longer than a worker needs to start anew.

import { LANES, type Lane, POOLS } from '@switchyard/contracts'

/** A worker that is replaced is back within this time, ms: until then its tasks wait for it. */
const REPLACED_MS = 10_000
/** At the start of everything the servers may come later than the first tasks, ms. Docker is there, or it is not. */
const STARTING_MS = 60_000

export class GoneLanes {
  readonly #seenAt = new Map<Lane, number>()
  #beganAt: number | undefined

  /** @param live - live workers by lane. @param at - a steady clock, ms. @returns lanes that are gone, or never came. */
  see(live: ReadonlyMap<Lane, number>, at: number): ReadonlySet<Lane> {
    this.#beganAt ??= at
    for (const [lane, workers] of live) if (workers > 0) this.#seenAt.set(lane, at)
    const isStarting = at - this.#beganAt <= STARTING_MS && !POOLS.some((pool) => this.#seenAt.has(pool))
    return new Set(
      LANES.filter((lane) => {
        const seenAt = this.#seenAt.get(lane)
        return seenAt === undefined ? lane === 'docker' || !isStarting : at - seenAt > REPLACED_MS
      }),
    )
  }
}
