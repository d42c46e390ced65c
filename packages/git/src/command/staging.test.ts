import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { clearStaging, repositoryPrefix, stagingMark, stagingPlace } from './staging.ts'

let root: string
beforeEach(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'switchyard-staging-'))
})
afterEach(() => rm(root, { recursive: true, force: true }))

it('clears away what a process that is gone was making, and nothing else', async () => {
  const gone = spawn('true')
  await once(gone, 'exit')
  const kept = [
    path.basename(stagingPlace('mine')),
    `${repositoryPrefix()}Xy1`,
    `task_1.new-${stagingMark(process.ppid)}abc`,
    // Of another machine or container, where the same id means another process.
    `task_2.new-00000000-${gone.pid}-abc`,
    'task_1',
    'notes.new-idea',
  ]
  const left = [`task_1.new-${stagingMark(gone.pid)}abc`, `switchyard-git-${stagingMark(gone.pid)}Xy1`]
  for (const name of [...kept, ...left]) await mkdir(path.join(root, name))
  await clearStaging([root, path.join(root, 'not-there')])
  expect((await readdir(root)).sort()).toEqual(kept.sort())
})
