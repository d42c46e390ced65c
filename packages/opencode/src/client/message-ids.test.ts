import { describe, expect, it } from 'vitest'
import { newMessageId, partId } from './message-ids.ts'

describe('newMessageId', () => {
  it('has the form of the server’s own ids', () => {
    expect(newMessageId()).toMatch(/^msg_[0-9a-f]{12}[0-9A-Za-z]{14}$/)
  })

  it('rises strictly, within one millisecond and when the clock steps back', () => {
    const ids = [...Array.from({ length: 5_000 }, () => newMessageId()), newMessageId(Date.now() - 60_000)]
    expect(ids).toEqual([...ids].sort())
    expect(new Set(ids).size).toBe(ids.length)
  })
})

describe('partId', () => {
  it('is the same for the same message', () => {
    expect(partId('msg_abc')).toBe('prt_abc')
    expect(partId('msg_abc', 1)).not.toBe(partId('msg_abc', 0))
  })
})
