// Seeded random numbers: the same seed gives the same faults at the same times.

export type Random = {
  /** Returns a number in [0, 1). */
  readonly next: () => number
  /** Returns a whole number in [min, max]. */
  readonly between: (min: number, max: number) => number
  /** Returns one of the items. Throws if there are none. */
  readonly pick: <T>(items: readonly T[]) => T
}

/** Returns a generator (mulberry32) for a seed. */
export const createRandom = (seed: number): Random => {
  let state = seed >>> 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = state
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  return {
    next,
    between: (min, max) => min + Math.floor(next() * (max - min + 1)),
    pick: (items) => {
      const item = items[Math.floor(next() * items.length)]
      if (item === undefined) throw new Error('nothing to pick from')
      return item
    },
  }
}

/** Returns the seed of a scenario, so that it has the same faults alone as in the whole suite. */
export const scenarioSeed = (seed: number, name: string): number =>
  [...name].reduce((sum, letter) => Math.imul(sum, 31) + letter.charCodeAt(0), seed) >>> 0
