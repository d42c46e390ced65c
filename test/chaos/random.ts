// Chance with a seed: the same seed gives the same faults at the same moments.

export type Random = {
  /** In [0, 1). */
  readonly next: () => number
  /** A whole number in [min, max]. */
  readonly between: (min: number, max: number) => number
  /** @throws Error where there is nothing to pick from. */
  readonly pick: <T>(items: readonly T[]) => T
}

/** mulberry32: small, quick, good enough to choose a victim. */
export const seeded = (seed: number): Random => {
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

/** A seed of its own for each scenario, so that one run alone meets the same faults as in the whole suite. */
export const seedOf = (seed: number, name: string): number =>
  [...name].reduce((sum, letter) => Math.imul(sum, 31) + letter.charCodeAt(0), seed) >>> 0
