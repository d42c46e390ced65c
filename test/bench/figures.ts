// Medians, percentiles and spreads of measurements.

/**
 * Returns a percentile of the values.
 *
 * @param share - from 0 to 1
 * @throws Error without values
 */
export const percentile = (values: readonly number[], share: number): number => {
  const sorted = values.toSorted((a, b) => a - b)
  const found = sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]
  if (found === undefined) throw new Error('nothing was measured')
  return found
}

export const median = (values: readonly number[]): number => percentile(values, 0.5)

/**
 * The smallest and the largest value: shows how much the machine's other work disturbs a
 * measurement.
 */
export type Spread = { readonly low: number; readonly high: number }

export const spreadOf = (values: readonly number[]): Spread => ({
  low: percentile(values, 0),
  high: percentile(values, 1),
})

/**
 * Runs both sides `rounds` times and alternates which one is first, so that changes of the machine
 * affect both.
 */
export const interleave = async <A, B>(
  rounds: number,
  ours: (round: number) => Promise<A>,
  bare: (round: number) => Promise<B>,
): Promise<readonly { readonly ours: A; readonly bare: B }[]> => {
  const results: { ours: A; bare: B }[] = []
  for (let round = 0; round < rounds; round += 1) {
    if (round % 2 === 0) {
      const first = await bare(round)
      results.push({ bare: first, ours: await ours(round) })
    } else {
      const first = await ours(round)
      results.push({ ours: first, bare: await bare(round) })
    }
  }
  return results
}
