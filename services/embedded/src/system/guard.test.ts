import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, it } from 'vitest'
import { isAlive } from './processes.ts'

const FIXTURE = fileURLToPath(new URL('./guard.fixture.ts', import.meta.url))
const POLITE = 'echo ready; exec sleep 60'
const STUBBORN = "trap '' TERM; echo ready; while :; do sleep 1; done"

describe('guardProcess', () => {
  let node: ChildProcess | undefined
  let pid = 0

  const start = async (script: string): Promise<ChildProcess> => {
    const child = spawn(process.execPath, [FIXTURE, script], { stdio: ['pipe', 'pipe', 'inherit'] })
    node = child
    const [line] = await once(child.stdout, 'data')
    pid = Number(line)
    return child
  }

  afterEach(() => {
    node?.kill('SIGKILL')
    if (isAlive(pid)) process.kill(pid, 'SIGKILL')
  })

  it.each([
    ['stops a process', POLITE],
    ['kills a process that ignores the signal', STUBBORN],
  ])('%s when Node is killed', async (_what, script) => {
    const child = await start(script)
    expect(isAlive(pid)).toBe(true)
    child.kill('SIGKILL')
    await expect.poll(() => isAlive(pid), { timeout: 15_000 }).toBe(false)
  })

  it('leaves the process alone after it was closed', async () => {
    const child = await start(POLITE)
    child.stdin?.end()
    await once(child, 'exit')
    await new Promise((resolve) => setTimeout(resolve, 300))
    expect(isAlive(pid)).toBe(true)
  })
})
