import { describe, expect, it } from 'vitest'
import { whole } from './session-lists.ts'

const listing = (there: number) => {
  const limits: number[] = []
  const list = async (limit: number) => {
    limits.push(limit)
    return Array.from({ length: Math.min(there, limit) }, (_, number) => number)
  }
  return { limits, list }
}

describe('a list that is asked for whole', () => {
  it.each([
    [0, [5]],
    [4, [5]],
    [5, [5, 50]],
    [49, [5, 50]],
    [321, [5, 50, 500]],
  ])('has all of %d, with no more calls than it takes', async (there, calls) => {
    const { limits, list } = listing(there)
    expect(await whole(list, 5)).toHaveLength(there)
    expect(limits).toEqual(calls)
  })
})
