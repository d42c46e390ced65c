import { describe, expect, it } from 'vitest'
import { newMessageId, partId } from './message-ids.ts'

describe('newMessageId', () => {
  it('returns ids in the format of the server', () => {
    expect(newMessageId()).toMatch(/^msg_[0-9a-f]{12}[0-9A-Za-z]{14}$/)
  })

  it('returns strictly rising ids, within one millisecond and when the clock steps back', () => {
    const ids = [...Array.from({ length: 5_000 }, () => newMessageId()), newMessageId(Date.now() - 60_000)]
    expect(ids).toEqual([...ids].sort())
    expect(new Set(ids).size).toBe(ids.length)
  })
})

describe('partId', () => {
  it('returns the same id for the same message and index', () => {
    expect(partId('msg_abc')).toBe('prt_abc')
    expect(partId('msg_abc', 1)).not.toBe(partId('msg_abc', 0))
  })
})
