// What one task writes to its repository, and what the next task and the worker see of it: with an agent's own git, on
// the whole system.

import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { Task } from '@switchyard/contracts'
import { script } from '@switchyard/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { git, makeRepository } from './repository.ts'
import { type System, startSystem } from './system.ts'

let system: System
let directory: string
let repository: string

beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'switchyard-test-repositories-'))
  repository = await makeRepository(path.join(directory, 'r'), { 'a.txt': 'a\n', '.gitattributes': '* filter=evil\n' })
  system = await startSystem('postgres')
})

afterAll(async () => {
  await system?.close()
  await rm(directory, { recursive: true, force: true })
})

/** Runs a task whose agent runs shell commands, and waits for its end. */
const run = async (commands: readonly string[], more: object = {}): Promise<Task> => {
  const { task_id } = await system.caller.submit({
    task_description: script([
      ...commands.map((command) => ({ tool: 'bash', args: { command, description: 'run' } })),
      { say: 'done' },
    ]),
    project: repository,
    ...more,
  })
  const task = await system.caller.ended(task_id)
  expect(task).toMatchObject({ status: 'completed', error: null })
  return task
}

/** Everything that reached another task before each task had a repository of its own. */
const attack = (trace: string): readonly string[] => [
  `printf '#!/bin/sh\\ntouch ${trace}\\ncat\\n' > evil.sh && chmod +x evil.sh`,
  'common=$(git rev-parse --git-common-dir) && mkdir -p $common/hooks $common/info && ' +
    'for hook in pre-commit post-commit post-checkout reference-transaction post-index-change; do cp evil.sh $common/hooks/$hook; done',
  'git config filter.evil.clean $PWD/evil.sh; git config filter.evil.smudge $PWD/evil.sh; ' +
    'git config core.fsmonitor $PWD/evil.sh; git config user.name Mallory; git config user.email m@evil; ' +
    'git config alias.status "!$PWD/evil.sh"; git config submodule.x.update "!$PWD/evil.sh"',
  'common=$(git rev-parse --git-common-dir) && echo 1111111111111111111111111111111111111111 > $common/refs/remotes/origin-main; ' +
    'rm -f $common/packed-refs; echo garbage > $common/refs/heads/broken; ' +
    'echo /nowhere > $common/objects/info/alternates; echo ../../nowhere > $common/commondir; echo poison > $(git rev-parse --git-dir)/index || true',
  `rm -f ${trace}`,
]

describe('a task that changes its own repository', () => {
  it("runs nothing in the next task's git or the worker's, and stops neither", async () => {
    const trace = path.join(directory, 'ran')
    const first = await run(attack(trace))
    expect(first.result?.files_changed).toContain('evil.sh')
    const next = await run([
      'git status --porcelain > status.txt; git log --format=%s origin/main > log.txt',
      'git config --get-regexp "filter|fsmonitor|alias|submodule|mallory" > config.txt; git worktree list > worktrees.txt',
      'git add -A && git -c user.name=A -c user.email=a@b commit -qm work && git checkout -qb other && git stash list',
    ])
    expect(next.result?.files_changed).toEqual(['config.txt', 'log.txt', 'status.txt', 'worktrees.txt'])
    const read = async (name: string) =>
      (await system.caller.get(`/tasks/${next.task_id}/files/content?path=${name}`)) as { content: string }
    expect(await read('status.txt')).toMatchObject({ content: '?? status.txt\n' })
    expect(await read('log.txt')).toMatchObject({ content: 'Begin\n' })
    expect(await read('config.txt')).toMatchObject({ content: '' })
    expect((await read('worktrees.txt')).content.trim().split('\n')).toHaveLength(1)
    const { diff } = (await system.caller.get(`/tasks/${first.task_id}/diff?format=json`)) as { diff: string }
    expect(diff).toContain('+++ b/evil.sh')
    expect(existsSync(trace)).toBe(false)
  })

  it('finds no branch, tag or stash of another task', async () => {
    const commit = 'git add -A && git -c user.name=A -c user.email=a@b commit -qm secret'
    const first = await run([`echo s > secret.txt && ${commit} && git branch mine && git tag mine`])
    const next = await run(['git for-each-ref --format="%(refname)" > refs.txt; git stash list >> refs.txt'])
    const refs = (await system.caller.get(`/tasks/${next.task_id}/files/content?path=refs.txt`)) as { content: string }
    expect(refs.content).toBe(`refs/heads/switchyard/${next.task_id}\nrefs/remotes/origin/main\n`)
    const secret = await git(first.directory ?? '', 'rev-parse', 'HEAD')
    await expect(git(next.directory ?? '', 'cat-file', '-e', secret)).rejects.toThrow()
  })

  it('refuses a branch that another task has, and names it', async () => {
    await run(['git -c user.name=A -c user.email=a@b commit -qm one --allow-empty'], { branch: 'feature/one' })
    const { task_id } = await system.caller.submit({
      task_description: script([{ say: 'never' }]),
      project: repository,
      branch: 'feature/one',
    })
    expect(await system.caller.ended(task_id)).toMatchObject({
      status: 'failed',
      error: { code: 'branch_in_use', message: expect.stringContaining('feature/one') },
    })
  })
})
