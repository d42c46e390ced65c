// When a failed delivery is tried again.

/** Between two attempts lie no more than these, ms. */
const MOST_MS = 6 * 3_600_000

/**
 * Three times as long after each attempt, a fifth more or less, so that what failed together does not come back together.
 *
 * @param attempts - those that were made, 1 at least.
 * @param random - in [0, 1).
 * @returns ms
 */
export const backoffMs = (attempts: number, firstMs: number, random: number): number =>
  Math.min(firstMs * 3 ** Math.min(attempts - 1, 30), MOST_MS) * (0.8 + 0.4 * random)
