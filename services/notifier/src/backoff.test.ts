import { expect, it } from 'vitest'
import { backoffMs } from './backoff.ts'

it('triples the delay with each attempt, up to six hours', () => {
  expect([1, 2, 3, 4].map((attempts) => backoffMs(attempts, 5_000, 0.5))).toEqual([5_000, 15_000, 45_000, 135_000])
  expect(backoffMs(500, 5_000, 0.5)).toBe(6 * 3_600_000)
})

it('varies the delay by a fifth', () => {
  expect(backoffMs(1, 10_000, 0)).toBe(8_000)
  expect(backoffMs(1, 10_000, 0.999)).toBeLessThanOrEqual(12_000)
})
