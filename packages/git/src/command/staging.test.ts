import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { removeStaleStaging, stagingMark, stagingPath, temporaryRepositoryPrefix } from './staging.ts'

let root: string
beforeEach(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'switchyard-staging-'))
})
afterEach(() => rm(root, { recursive: true, force: true }))

describe('removeStaleStaging', () => {
  it('removes what a stopped process left, and nothing else', async () => {
    const stopped = spawn('true')
    await once(stopped, 'exit')
    const kept = [
      path.basename(stagingPath('mine')),
      `${temporaryRepositoryPrefix()}Xy1`,
      `task_1.new-${stagingMark(process.ppid)}abc`,
      // From another machine or container, where the same id belongs to another process.
      `task_2.new-00000000-${stopped.pid}-abc`,
      'task_1',
      'notes.new-idea',
    ]
    const stale = [`task_1.new-${stagingMark(stopped.pid)}abc`, `switchyard-git-${stagingMark(stopped.pid)}Xy1`]
    for (const name of [...kept, ...stale]) await mkdir(path.join(root, name))
    await removeStaleStaging([root, path.join(root, 'missing')])
    expect((await readdir(root)).sort()).toEqual(kept.sort())
  })
})
