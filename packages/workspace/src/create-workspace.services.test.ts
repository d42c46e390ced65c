import { existsSync } from 'node:fs'
import { readFile, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { git, startWorkspaces, type TestWorkspaces } from './workspace.fixture.ts'

let workspaces: TestWorkspaces

beforeAll(async () => {
  workspaces = await startWorkspaces()
})
afterAll(() => workspaces.close())

describe('createWorkspace', () => {
  it('creates a scratch repository for a task without a project', async () => {
    const row = await workspaces.task()
    const made = await workspaces.create(row)
    expect(made).toMatchObject({ directory: workspaces.deps.layout.task(row), branch: 'main' })
    expect(await git(made.directory, 'rev-parse', 'HEAD')).toBe(made.baseCommit)
  })

  it('creates a clone of its own on a branch named after the task, which borrows the objects of the remote', async () => {
    const row = await workspaces.task({ project_id: workspaces.projectId })
    const made = await workspaces.create(row)
    expect(made).toMatchObject({ directory: workspaces.deps.layout.task(row), branch: `switchyard/${row.id}` })
    expect(await readFile(path.join(made.directory, 'a.txt'), 'utf8')).toBe('one\n')
    expect(await git(made.directory, 'rev-parse', '--git-common-dir')).toBe('.git')
    expect(await git(made.directory, 'count-objects')).toBe('0 objects, 0 kilobytes')
    expect(await git(made.directory, 'status', '--porcelain', '--branch')).toBe(`## switchyard/${row.id}`)
    expect(await git(made.directory, 'diff', 'origin/main')).toBe('')
  })

  it('creates a clone that needs no other directory in Docker mode', async () => {
    const row = await workspaces.task({ project_id: workspaces.projectId, mode: 'docker' })
    const { directory } = await workspaces.create(row)
    expect(directory).toBe(workspaces.deps.layout.container(row.id).work)
    expect(await git(directory, 'rev-parse', '--git-common-dir')).toBe('.git')
  })

  it('continues a branch that the caller named at its tip', async () => {
    const named = { project_id: workspaces.projectId, branch: 'work/more' }
    await git(workspaces.origin, 'branch', 'work/more')
    await git(workspaces.origin, 'checkout', '-q', 'work/more')
    await git(workspaces.origin, 'commit', '-qm', 'more', '--allow-empty')
    const tip = await git(workspaces.origin, 'rev-parse', 'HEAD')
    await git(workspaces.origin, 'checkout', '-q', 'main')
    expect(await workspaces.create(await workspaces.task(named))).toMatchObject({
      branch: 'work/more',
      baseCommit: tip,
    })
  })

  it('returns the directory of a sandbox, with the commit that is checked out there', async () => {
    const directory = await workspaces.sandbox('ui')
    await git(directory, 'commit', '-qm', 'work', '--allow-empty')
    const row = await workspaces.task({ project_id: workspaces.projectId, sandbox: 'ui' })
    expect(await workspaces.create(row)).toEqual({
      directory,
      branch: 'sandbox/ui',
      baseCommit: await git(directory, 'rev-parse', 'HEAD'),
    })
  })

  it('returns the same directory with its work when it repeats', async () => {
    const row = await workspaces.begin(await workspaces.task({ project_id: workspaces.projectId }))
    const file = path.join(row.directory ?? '', 'work.txt')
    await writeFile(file, 'work\n')
    expect(await workspaces.create(row)).toMatchObject({ directory: row.directory, baseCommit: row.base_commit })
    expect(existsSync(file)).toBe(true)
  })

  it('reports workspace_gone when the recorded directory was removed', async () => {
    const row = await workspaces.begin(await workspaces.task())
    await rm(row.directory ?? '', { recursive: true })
    await expect(workspaces.create(row)).rejects.toMatchObject({ code: 'workspace_gone' })
  })

  it('reports sandbox_not_found for a sandbox that does not exist', async () => {
    const row = await workspaces.task({ project_id: workspaces.projectId, sandbox: 'none' })
    await expect(workspaces.create(row)).rejects.toMatchObject({ code: 'sandbox_not_found' })
  })
})
