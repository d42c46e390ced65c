import { execFileSync } from 'node:child_process'
import { mkdir, rm, symlink, writeFile } from 'node:fs/promises'
import path from 'node:path'
import type { FileList, TaskDiff, TaskId } from '@switchyard/contracts'
import { createDatabase, type TestDatabase } from '@switchyard/testing'
import type { AnsweringCalls } from '@switchyard/worker-calls'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startApi, startTaskCalls, type TestApi } from '../api.fixture.ts'

let database: TestDatabase
let test: TestApi
let id: TaskId
let directory: string
let worker: AnsweringCalls

const git = (...args: string[]) =>
  execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@t', ...args], { cwd: directory })
    .toString()
    .trim()

beforeAll(async () => {
  database = await createDatabase()
  test = await startApi(database.url)
  worker = await startTaskCalls(test)
  id = (await test.accept()).task_id
  directory = path.join(test.workspacesDir, 'tasks', id)
  await mkdir(path.join(directory, 'src'), { recursive: true })
  git('init', '-q', '-b', 'main')
  await writeFile(path.join(directory, 'src', 'sum.js'), 'a - b\n')
  git('add', '.')
  git('commit', '-q', '-m', 'first')
  const base = git('rev-parse', 'HEAD')
  await writeFile(path.join(directory, 'src', 'sum.js'), 'a + b\n')
  await writeFile(path.join(directory, 'new.txt'), 'grüße\n')
  await symlink('/etc', path.join(directory, 'way-out'))
  await test.write(id, { to: 'preparing', set: { directory, base_commit: base } })
})

afterAll(async () => {
  await worker.stop()
  await test.close()
  await database.drop()
})

describe('the working directory of a task', () => {
  it('is listed', async () => {
    const { body: root } = await test.call<FileList>('GET', `/tasks/${id}/files`)
    expect(root.entries.map(({ name, type }) => [name, type])).toEqual([
      ['new.txt', 'file'],
      ['src', 'directory'],
      ['way-out', 'symlink'],
    ])
    const { body: inner } = await test.call<FileList>('GET', `/tasks/${id}/files?path=src`)
    expect(inner.entries).toMatchObject([{ name: 'sum.js', path: 'src/sum.js', size: 6 }])
  })

  it('is read, in whole or in parts', async () => {
    const whole = await test.call('GET', `/tasks/${id}/files/content?path=new.txt`)
    expect(whole.body).toMatchObject({ content: 'grüße\n', encoding: 'utf-8', size: 8, truncated: false })
    const part = await test.call('GET', `/tasks/${id}/files/content?path=new.txt&limit=2`)
    expect(part.body).toMatchObject({ content: 'gr', truncated: true })
  })

  it.each([
    ['files?path=..', 400, 'path_outside_workspace'],
    ['files?path=/etc', 400, 'path_outside_workspace'],
    ['files?path=way-out', 400, 'path_outside_workspace'],
    ['files/content?path=way-out/passwd', 400, 'path_outside_workspace'],
    ['files/content?path=.git/config', 400, 'path_outside_workspace'],
    ['files/content?path=src', 404, 'file_not_found'],
    ['files/content?path=missing', 404, 'file_not_found'],
    ['files/content', 400, 'invalid_request'],
    ['files/content?path=new.txt&limit=2000000', 400, 'invalid_request'],
  ])('responds to %s with %i %s', async (route, status, code) => {
    expect(await test.call('GET', `/tasks/${id}/${route}`)).toMatchObject({ status, body: { code } })
  })

  it('has a diff, as text and per file', async () => {
    const text = await test.call<string>('GET', `/tasks/${id}/diff`)
    expect(text.headers.get('content-type')).toBe('text/x-diff; charset=utf-8')
    expect(text.body).toContain('+a + b')
    const json = await test.call<TaskDiff>('GET', `/tasks/${id}/diff?format=json`)
    expect(json.body.diff).toBe(text.body)
    expect(json.body.files).toMatchObject([
      { path: 'new.txt', status: 'added', additions: 1 },
      { path: 'src/sum.js', status: 'modified', additions: 1, deletions: 1 },
      { path: 'way-out', status: 'added' },
    ])
  })

  it('is unavailable before preparation, outside of the workspaces directory, and after its deletion', async () => {
    const { task_id: early } = await test.accept()
    const unprepared = await test.call('GET', `/tasks/${early}/files`)
    expect(unprepared).toMatchObject({ status: 409, body: { code: 'workspace_unavailable', retryable: true } })
    await test.write(early, { to: 'preparing', set: { directory: '/etc', base_commit: 'x' } })
    for (const route of ['files', 'files/content?path=passwd', 'diff'])
      expect(await test.call('GET', `/tasks/${early}/${route}`)).toMatchObject({ body: { code: 'workspace_gone' } })
    await rm(directory, { recursive: true })
    expect(await test.call('GET', `/tasks/${id}/files`)).toMatchObject({
      status: 410,
      body: { code: 'workspace_gone' },
    })
  })
})
