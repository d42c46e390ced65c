import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { newTaskId } from '@switchyard/contracts'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { OutputFile } from './output-file.ts'

/** About 200 kB, of which no two lines are the same. */
const OUTPUT = Buffer.from(
  Array.from({ length: 4_000 }, (_, n) => `{"line":${n},"text":"${'x'.repeat(n % 60)}"}\n`).join(''),
)

describe('the kept output of a container', () => {
  let directory: string

  beforeEach(async () => {
    directory = await mkdtemp(path.join(tmpdir(), 'switchyard-test-output-'))
  })

  afterEach(() => rm(directory, { recursive: true, force: true }))

  const keeper = () => {
    const task = newTaskId()
    return {
      /** One reading of the engine's log, from one byte of the output to another, in pieces. */
      reading: async (from: number, to: number, pieces = 3) => {
        const file = await OutputFile.open(path.join(directory, task), 'msg_1')
        const piece = Math.max(1, Math.ceil((to - from) / pieces))
        for (let at = from; at < to; at += piece) await file.keep(OUTPUT.subarray(at, Math.min(at + piece, to)))
        await file.close()
      },
      kept: () => readFile(path.join(directory, task, 'msg_1.jsonl')),
    }
  }

  it('loses nothing to a reading that is cut short', async () => {
    const { reading, kept } = keeper()
    await reading(0, OUTPUT.length)
    await reading(0, 10)
    await reading(0, 0)
    expect((await kept()).equals(OUTPUT)).toBe(true)
  })

  it('keeps the beginning that the engine no longer has', async () => {
    const { reading, kept } = keeper()
    await reading(0, 150_000)
    await reading(100_000, OUTPUT.length)
    expect((await kept()).equals(OUTPUT)).toBe(true)
  })

  it('goes on at its end where the engine has nothing of what is kept', async () => {
    const { reading, kept } = keeper()
    await reading(0, 1_000)
    await reading(50_000, 60_000)
    expect((await kept()).equals(Buffer.concat([OUTPUT.subarray(0, 1_000), OUTPUT.subarray(50_000, 60_000)]))).toBe(
      true,
    )
  })

  it('is the output as far as it was read, whatever the readings', async () => {
    const { reading, kept } = keeper()
    await reading(0, 60_000, 7)
    await reading(0, 30_000, 1)
    await reading(20_000, 90_000, 50)
    await reading(80_000, 85_000, 2)
    await reading(30_000, OUTPUT.length, 11)
    expect((await kept()).equals(OUTPUT)).toBe(true)
  })
})
