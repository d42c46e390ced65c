// The delay before a failed delivery is retried.

const MAX_MS = 6 * 3_600_000

/**
 * Returns a delay that triples with each attempt, up to six hours, plus or minus a fifth, so that
 * deliveries that failed together are not retried together.
 *
 * @param attempts - number of attempts so far, at least 1.
 * @param firstMs - delay after the first attempt.
 * @param random - in [0, 1).
 * @returns ms
 */
export const backoffMs = (attempts: number, firstMs: number, random: number): number =>
  Math.min(firstMs * 3 ** Math.min(attempts - 1, 30), MAX_MS) * (0.8 + 0.4 * random)
