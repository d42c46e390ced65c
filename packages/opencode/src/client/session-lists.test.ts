import { describe, expect, it } from 'vitest'
import { listAll } from './session-lists.ts'

const listOf = (size: number) => {
  const limits: number[] = []
  const list = async (limit: number) => {
    limits.push(limit)
    return Array.from({ length: Math.min(size, limit) }, (_, number) => number)
  }
  return { limits, list }
}

describe('listAll', () => {
  it.each([
    [0, [5]],
    [4, [5]],
    [5, [5, 50]],
    [49, [5, 50]],
    [321, [5, 50, 500]],
  ])('returns all %d items with as few requests as possible', async (size, requested) => {
    const { limits, list } = listOf(size)
    expect(await listAll(list, 5)).toHaveLength(size)
    expect(limits).toEqual(requested)
  })
})
