import { describe, expect, it } from 'vitest'
import { lines } from './container-output.ts'

const frame = (stream: 1 | 2, text: string): Buffer => {
  const data = Buffer.from(text)
  const header = Buffer.alloc(8)
  header[0] = stream
  header.writeUInt32BE(data.length, 4)
  return Buffer.concat([header, data])
}

async function* inPieces(data: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < data.length; at += size) yield data.subarray(at, at + size)
}

const read = async (data: Buffer, size: number) => {
  const stored: Buffer[] = []
  const found: string[] = []
  const store = async (piece: Buffer) => void stored.push(Buffer.from(piece))
  for await (const { from, text, truncated } of lines(inPieces(data, size), store))
    found.push(`${from}${truncated ? ' (cut)' : ''}: ${text.slice(0, 40)}`)
  return { found, stored: Buffer.concat(stored) }
}

describe('the output of a container', () => {
  const data = Buffer.concat([frame(1, 'one\ntw'), frame(2, 'warn\n'), frame(1, 'o — ☂\n\nend'), frame(2, 'last')])

  it.each([1, 3, 8, 1_000])('is split into lines when it arrives %i bytes at a time', async (size) => {
    const { found, stored } = await read(data, size)
    expect(found).toEqual(['stdout: one', 'stderr: warn', 'stdout: two — ☂', 'stdout: ', 'stdout: end', 'stderr: last'])
    expect(stored.toString()).toBe('one\ntwo — ☂\n\nend')
  })

  it('yields the beginning of a line that is too long, and passes on all of it', async () => {
    const long = 'x'.repeat(9 * 1_048_576)
    const { found, stored } = await read(Buffer.concat([frame(1, long), frame(1, '\nnext\n')]), 65_536)
    expect(found).toEqual([`stdout (cut): ${'x'.repeat(40)}`, 'stdout: next'])
    expect(stored.length).toBe(long.length + 6)
  })
})
