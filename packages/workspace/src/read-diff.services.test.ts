import { rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { storeDiff, type TaskRow } from '@switchyard/records'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { objectDirectories, readDiff, taskCallHandlers, taskDirectory } from './index.ts'
import { startWorkspaces, type TestWorkspaces } from './workspace.fixture.ts'

let workspaces: TestWorkspaces
const signal = AbortSignal.timeout(60_000)
const stored = { diff: '+stored\n', files: [], truncated: false }

beforeAll(async () => {
  workspaces = await startWorkspaces()
})
afterAll(() => workspaces.close())

const inProject = (mode: 'opencode' | 'docker' = 'opencode') =>
  workspaces.task({ project_id: workspaces.projectId, mode }).then(workspaces.begin)
const at = (row: TaskRow, ...names: string[]) => path.join(row.directory ?? '', ...names)

describe('objectDirectories', () => {
  it('names the mirror and the own repository of a task with a project, and the own repository of any other', async () => {
    const { layout } = workspaces.deps
    const mirror = path.join(layout.mirrors, `${workspaces.identity.slug}.git`, 'objects')
    const scratch = await workspaces.begin(await workspaces.task())
    expect(await objectDirectories(workspaces.deps, scratch)).toEqual([at(scratch, '.git', 'objects')])
    for (const row of [await inProject(), await inProject('docker')])
      expect(await objectDirectories(workspaces.deps, row)).toEqual([mirror, at(row, '.git', 'objects')])
  })

  it('names the mirror and the shared clone of a task in a sandbox', async () => {
    const directory = await workspaces.sandbox('shared-objects')
    const row = await workspaces.set(await workspaces.task({ project_id: workspaces.projectId }), { directory })
    const shared = workspaces.deps.repositories.sharedDirectory(workspaces.identity)
    expect((await objectDirectories(workspaces.deps, row))[1]).toBe(path.join(shared, '.git', 'objects'))
  })
})

describe('taskDirectory', () => {
  it('refuses a recorded directory outside WORKSPACES_DIR', async () => {
    const row = await workspaces.set(await workspaces.task(), { directory: '/etc' })
    expect(() => taskDirectory(workspaces.deps.layout, row)).toThrow(/not on this host/)
  })

  it('reports that the directory does not exist yet, or was removed', async () => {
    const row = await workspaces.task()
    expect(() => taskDirectory(workspaces.deps.layout, row)).toThrow(/no working directory yet/)
    const removed = await workspaces.set(row, { directory: '/x', workspace_removed_at: new Date() })
    expect(() => taskDirectory(workspaces.deps.layout, removed)).toThrow(/was removed/)
  })
})

describe('readDiff', () => {
  it.each(['opencode', 'docker'] as const)('compares the directory with where the task began (%s)', async (mode) => {
    const row = await inProject(mode)
    await writeFile(at(row, 'a.txt'), 'two\n')
    await writeFile(at(row, 'new.txt'), 'new\n')
    const { task_id, diff, files, truncated } = await readDiff(workspaces.deps, row)
    expect({ task_id, truncated }).toEqual({ task_id: row.id, truncated: false })
    expect(diff).toContain('-one\n+two\n')
    expect(files).toMatchObject([
      { path: 'a.txt', status: 'modified', additions: 1, deletions: 1 },
      { path: 'new.txt', status: 'added', additions: 1 },
    ])
  })

  it('reads all changes of a scratch repository', async () => {
    const row = await workspaces.begin(await workspaces.task())
    await writeFile(at(row, 'new.txt'), 'new\n')
    expect((await readDiff(workspaces.deps, row)).files).toMatchObject([{ path: 'new.txt', status: 'added' }])
  })

  it('cuts a diff of more than 4 MiB and says so', async () => {
    const row = await workspaces.begin(await workspaces.task())
    await writeFile(at(row, 'big.txt'), 'line\n'.repeat(1_000_000))
    const { diff, truncated } = await readDiff(workspaces.deps, row)
    expect({ isCut: diff.length <= 4 * 1_048_576, truncated }).toEqual({ isCut: true, truncated: true })
  })

  it('returns the stored diff after the directory was removed', async () => {
    const row = await inProject()
    await storeDiff(workspaces.deps.records.db, row.id, stored)
    const removed = await workspaces.set(row, { workspace_removed_at: new Date() })
    expect(await readDiff(workspaces.deps, removed)).toEqual({ task_id: row.id, ...stored })
  })

  it('returns the stored diff of an ended task whose directory is removed before the record says so', async () => {
    const row = await inProject()
    await storeDiff(workspaces.deps.records.db, row.id, stored)
    await rm(at(row), { recursive: true })
    await expect(readDiff(workspaces.deps, row)).rejects.toMatchObject({ code: 'workspace_gone' })
    const ended = await workspaces.end(row)
    expect(await readDiff(workspaces.deps, ended)).toEqual({ task_id: row.id, ...stored })
  })

  it('reports workspace_unavailable before the base commit is known', async () => {
    const row = await workspaces.task()
    const prepared = await workspaces.set(row, { directory: workspaces.deps.layout.task(row) })
    await expect(readDiff(workspaces.deps, prepared)).rejects.toMatchObject({ code: 'workspace_unavailable' })
  })
})

describe('taskCallHandlers', () => {
  it('answers calls about a task with its files, a file and its diff', async () => {
    const handlers = taskCallHandlers(workspaces.deps)
    const { id: task_id } = await inProject()
    const listed = await handlers['task.files']({ task_id, path: '' }, signal)
    expect(listed).toMatchObject({ path: '.', entries: [{ name: 'a.txt', size: 4 }], truncated: false })
    const file = await handlers['task.file']({ task_id, path: 'a.txt', offset: 1, limit: 2 }, signal)
    expect(file).toMatchObject({ content: 'ne', truncated: true })
    expect(await handlers['task.diff']({ task_id }, signal)).toMatchObject({ task_id, diff: '', files: [] })
  })

  it('reports a task that does not exist', async () => {
    const handlers = taskCallHandlers(workspaces.deps)
    const task_id = 'task_01K5A0Z9F6M2Q7R8S9T0V1W2X3'
    await expect(handlers['task.diff']({ task_id }, signal)).rejects.toMatchObject({ code: 'task_not_found' })
  })
})
