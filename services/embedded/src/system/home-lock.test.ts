import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { lockHome } from './home-lock.ts'

const FIXTURE = fileURLToPath(new URL('./home-lock.fixture.ts', import.meta.url))

describe('lockHome', () => {
  let home: string
  let children: ChildProcess[]

  beforeEach(() => {
    home = mkdtempSync(path.join(tmpdir(), 'switchyard-lock-'))
    children = []
  })

  afterEach(() => {
    for (const child of children) child.kill('SIGKILL')
    rmSync(home, { recursive: true, force: true })
  })

  /** Starts another process that tries to lock the home, and returns what it prints. */
  const tryElsewhere = async (): Promise<{ readonly child: ChildProcess; readonly said: string }> => {
    const child = spawn(process.execPath, [FIXTURE, home], { stdio: ['pipe', 'pipe', 'inherit'] })
    children.push(child)
    const [said] = await once(createInterface({ input: child.stdout }), 'line')
    return { child, said }
  }

  it('creates the directory, and releases it', async () => {
    const directory = path.join(home, 'deep', 'below')
    const first = await lockHome(directory)
    first.release()
    first.release()
    const second = await lockHome(directory)
    second.release()
  })

  it('names the directory and the process that has locked it', async () => {
    const { child, said } = await tryElsewhere()
    expect(said).toBe('locked')
    await expect(lockHome(home)).rejects.toMatchObject({
      code: 'home_in_use',
      message: `${home} is in use by another Switchyard (process ${child.pid})`,
    })
  })

  it('refuses a second lock in the same process', async () => {
    const lock = await lockHome(home)
    await expect(lockHome(home)).rejects.toMatchObject({ code: 'home_in_use' })
    lock.release()
  })

  it('is free immediately after its owner was killed', async () => {
    const { child } = await tryElsewhere()
    child.kill('SIGKILL')
    await once(child, 'exit')
    const lock = await lockHome(home)
    lock.release()
  })

  it('gives the lock to exactly one of many processes that start after a killed owner', async () => {
    const { child } = await tryElsewhere()
    child.kill('SIGKILL')
    await once(child, 'exit')
    const said = (await Promise.all(Array.from({ length: 8 }, tryElsewhere))).map((each) => each.said)
    expect(said.filter((each) => each === 'locked')).toHaveLength(1)
    expect(said.filter((each) => each === 'home_in_use')).toHaveLength(7)
  })

  it('reports a directory that cannot be created', async () => {
    writeFileSync(path.join(home, 'file'), '')
    await expect(lockHome(path.join(home, 'file', 'home'))).rejects.toMatchObject({ code: 'directory_unwritable' })
  })
})
