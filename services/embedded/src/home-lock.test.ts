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

  /** Starts another process that tries to take the home; resolves to what it says. */
  const tryElsewhere = async (): Promise<{ readonly child: ChildProcess; readonly said: string }> => {
    const child = spawn(process.execPath, [FIXTURE, home], { stdio: ['pipe', 'pipe', 'inherit'] })
    children.push(child)
    const [said] = await once(createInterface({ input: child.stdout }), 'line')
    return { child, said }
  }

  it('makes the directory and gives it free again', async () => {
    const directory = path.join(home, 'deep', 'below')
    const first = await lockHome(directory)
    first.release()
    first.release()
    const second = await lockHome(directory)
    second.release()
  })

  it('names the directory and the process that holds it', async () => {
    const { child, said } = await tryElsewhere()
    expect(said).toBe('won')
    await expect(lockHome(home)).rejects.toMatchObject({
      code: 'home_in_use',
      message: `${home} is in use by another Switchyard (process ${child.pid})`,
    })
  })

  it('refuses a second holder in the same process too', async () => {
    const lock = await lockHome(home)
    await expect(lockHome(home)).rejects.toMatchObject({ code: 'home_in_use' })
    lock.release()
  })

  it('is free at once when its holder was killed', async () => {
    const { child } = await tryElsewhere()
    child.kill('SIGKILL')
    await once(child, 'exit')
    const lock = await lockHome(home)
    lock.release()
  })

  it('lets exactly one of many racing starters win, over what a killed one left', async () => {
    const { child } = await tryElsewhere()
    child.kill('SIGKILL')
    await once(child, 'exit')
    const said = (await Promise.all(Array.from({ length: 8 }, tryElsewhere))).map((each) => each.said)
    expect(said.filter((each) => each === 'won')).toHaveLength(1)
    expect(said.filter((each) => each === 'home_in_use')).toHaveLength(7)
  })

  it('says that a directory cannot be made', async () => {
    writeFileSync(path.join(home, 'file'), '')
    await expect(lockHome(path.join(home, 'file', 'home'))).rejects.toMatchObject({ code: 'directory_unwritable' })
  })
})
