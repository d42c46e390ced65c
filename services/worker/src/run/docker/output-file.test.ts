import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { newTaskId } from '@switchyard/contracts'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { OutputFile } from './output-file.ts'

/** About 200 kB; no two lines are the same. */
const OUTPUT = Buffer.from(
  Array.from({ length: 4_000 }, (_, n) => `{"line":${n},"text":"${'x'.repeat(n % 60)}"}\n`).join(''),
)

describe('OutputFile', () => {
  let directory: string

  beforeEach(async () => {
    directory = await mkdtemp(path.join(tmpdir(), 'switchyard-test-output-'))
  })

  afterEach(() => rm(directory, { recursive: true, force: true }))

  const createReader = () => {
    const task = newTaskId()
    return {
      /** Reads the engine's log once, from one byte of the output to another, in pieces. */
      read: async (from: number, to: number, pieces = 3) => {
        const file = await OutputFile.open(path.join(directory, task), 'msg_1')
        const piece = Math.max(1, Math.ceil((to - from) / pieces))
        for (let at = from; at < to; at += piece) await file.write(OUTPUT.subarray(at, Math.min(at + piece, to)))
        await file.close()
      },
      stored: () => readFile(path.join(directory, task, 'msg_1.jsonl')),
    }
  }

  it('loses nothing when a read is cut short', async () => {
    const { read, stored } = createReader()
    await read(0, OUTPUT.length)
    await read(0, 10)
    await read(0, 0)
    expect((await stored()).equals(OUTPUT)).toBe(true)
  })

  it('keeps the beginning that the engine has dropped', async () => {
    const { read, stored } = createReader()
    await read(0, 150_000)
    await read(100_000, OUTPUT.length)
    expect((await stored()).equals(OUTPUT)).toBe(true)
  })

  it('appends to the file if the engine has dropped everything that is stored', async () => {
    const { read, stored } = createReader()
    await read(0, 1_000)
    await read(50_000, 60_000)
    expect((await stored()).equals(Buffer.concat([OUTPUT.subarray(0, 1_000), OUTPUT.subarray(50_000, 60_000)]))).toBe(
      true,
    )
  })

  it('contains the output as far as it was read, whatever the order of the reads', async () => {
    const { read, stored } = createReader()
    await read(0, 60_000, 7)
    await read(0, 30_000, 1)
    await read(20_000, 90_000, 50)
    await read(80_000, 85_000, 2)
    await read(30_000, OUTPUT.length, 11)
    expect((await stored()).equals(OUTPUT)).toBe(true)
  })
})
