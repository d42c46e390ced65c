import { execFile, spawn } from 'node:child_process'
import { mkdir, mkdtemp, rm, symlink, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { reportedMemory } from './reported-memory.ts'

const SCRIPT = path.resolve(import.meta.dirname, '../../../../deploy/opencode-report.sh')

let directory: string
const at = (name: string) => path.join(directory, name)

beforeEach(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'switchyard-memory-'))
})

afterEach(async () => {
  await rm(directory, { recursive: true, force: true })
})

describe('reportedMemory', () => {
  it('returns the number that the container wrote last', async () => {
    await writeFile(at('memory'), '748617728\n')
    expect(await reportedMemory(at('memory'))).toBe(748_617_728)
  })

  it('returns nothing once the container has stopped writing', async () => {
    await writeFile(at('memory'), '748617728\n')
    await utimes(at('memory'), new Date(), new Date(Date.now() - 60_000))
    expect(await reportedMemory(at('memory'))).toBeUndefined()
  })

  it('returns nothing for a file that does not contain just a number', async () => {
    await writeFile(at('text'), 'a lot')
    await writeFile(at('negative'), '-1')
    await writeFile(at('long'), '1'.repeat(1_000))
    await writeFile(at('number'), '1')
    await symlink(at('number'), at('link'))
    await promisify(execFile)('mkfifo', [at('pipe')])
    for (const name of ['text', 'negative', 'long', 'link', 'pipe', 'nowhere'])
      expect([name, await reportedMemory(at(name))]).toEqual([name, undefined])
  })

  it.each([
    ['a cgroup of version 2', 'memory.current', 'memory.stat', 'inactive_file'],
    ['a cgroup of version 1', 'memory/memory.usage_in_bytes', 'memory/memory.stat', 'total_inactive_file'],
  ])(
    'reads what the script writes from %s, without the inactive page cache',
    async (_cgroup, usage, stat, inactive) => {
      await mkdir(at('memory-cgroup/memory'), { recursive: true })
      await writeFile(at(`memory-cgroup/${usage}`), '5000000\n')
      await writeFile(at(`memory-cgroup/${stat}`), `anon 1\nactive_file 2\n${inactive} 1000000\nslab_unreclaimable 3\n`)
      const script = spawn('sh', [SCRIPT, at('memory-cgroup'), at('memory')], { stdio: 'ignore' })
      try {
        await expect.poll(() => reportedMemory(at('memory')), { timeout: 10_000 }).toBe(4_000_000)
      } finally {
        script.kill()
      }
    },
  )
})
