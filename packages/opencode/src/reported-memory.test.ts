import { execFile } from 'node:child_process'
import { mkdtemp, rm, symlink, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { reportedMemory } from './reported-memory.ts'

let place: string
const at = (name: string) => path.join(place, name)

beforeEach(async () => {
  place = await mkdtemp(path.join(tmpdir(), 'switchyard-memory-'))
})

afterEach(async () => {
  await rm(place, { recursive: true, force: true })
})

describe('the memory that a container reports', () => {
  it('is the number that it wrote last', async () => {
    await writeFile(at('memory'), '748617728\n')
    expect(await reportedMemory(at('memory'))).toBe(748_617_728)
  })

  it('is not known once it has stopped writing', async () => {
    await writeFile(at('memory'), '748617728\n')
    await utimes(at('memory'), new Date(), new Date(Date.now() - 60_000))
    expect(await reportedMemory(at('memory'))).toBeUndefined()
  })

  it('is nothing that somebody else made of the file', async () => {
    await writeFile(at('text'), 'a lot')
    await writeFile(at('negative'), '-1')
    await writeFile(at('long'), '1'.repeat(1_000))
    await writeFile(at('number'), '1')
    await symlink(at('number'), at('link'))
    await promisify(execFile)('mkfifo', [at('pipe')])
    for (const name of ['text', 'negative', 'long', 'link', 'pipe', 'nowhere'])
      expect([name, await reportedMemory(at(name))]).toEqual([name, undefined])
  })
})
