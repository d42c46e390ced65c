import { describe, expect, it } from 'vitest'
import { createSseParser } from './sse-parser.ts'

const TEXT = 'data: {"a":"ä€😀"}\n\n: comment\n\ndata:first\r\ndata: second\r\n\r\ndata: unfinished'

describe('createSseParser', () => {
  it('returns the same events however the bytes are split', () => {
    const bytes = new TextEncoder().encode(TEXT)
    for (let size = 1; size <= bytes.length; size += 1) {
      const events: string[] = []
      const parser = createSseParser((data) => events.push(data))
      for (let at = 0; at < bytes.length; at += size) parser.push(bytes.subarray(at, at + size))
      expect(events).toEqual(['{"a":"ä€😀"}', 'first\nsecond'])
    }
  })

  it('rejects an event that never ends', () => {
    const parser = createSseParser(() => undefined)
    const block = new Uint8Array(8 * 1024 * 1024).fill(97)
    expect(() => {
      for (let count = 0; count < 9; count += 1) parser.push(block)
    }).toThrow('event is longer than 64 MiB')
  })
})
