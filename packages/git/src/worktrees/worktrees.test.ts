import { existsSync } from 'node:fs'
import { chmod, cp, mkdir, readdir, readFile, rename, rm, symlink, utimes, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { commitAll, createProject, createRepositories, exists, sh, useTestDirectory } from '../git.fixture.ts'
import { parseRepositoryUrl } from '../identity/identity.ts'

const at = useTestDirectory()

describe('addWorktree', () => {
  it('adds many worktrees to one shared clone at the same time', async () => {
    const identity = parseRepositoryUrl(await commitAll(at('origin'), { 'a.txt': 'one\n' }))
    const repositories = createRepositories(at)
    const added = await Promise.all(
      Array.from({ length: 8 }, async (_, n) => {
        await repositories.fetch(identity)
        return await repositories.addWorktree(identity, { directory: at('tasks', `${n}`), branch: `work/${n}` })
      }),
    )
    expect(new Set(added.map((checkout) => checkout.baseCommit)).size).toBe(1)
    for (const [n, { directory }] of added.entries()) {
      expect(await sh(directory, 'rev-parse', '--abbrev-ref', 'HEAD')).toBe(`work/${n}`)
      expect(await sh(directory, 'status', '--porcelain')).toBe('')
      expect(await sh(directory, 'rev-parse', '--git-common-dir')).toBe(
        path.join(repositories.sharedDirectory(identity), '.git'),
      )
    }
  })

  it('checks out what was pushed before the last fetch', async () => {
    const source = await commitAll(at('origin'), { 'a.txt': 'one\n' })
    const identity = parseRepositoryUrl(`file://${source}`)
    const repositories = createRepositories(at)
    await repositories.fetch(identity)
    await commitAll(source, { 'b.txt': 'two\n' })
    await repositories.fetch(identity)
    await repositories.addWorktree(identity, { directory: at('t'), branch: 'x' })
    expect(existsSync(at('t', 'b.txt'))).toBe(true)
  })

  it('starts at a branch, a tag or a commit', async () => {
    const source = await commitAll(at('origin'), { 'a.txt': 'one\n' })
    const first = await sh(source, 'rev-parse', 'HEAD')
    await sh(source, 'tag', 'v1')
    await sh(source, 'checkout', '-qb', 'feature')
    await sh(source, 'commit', '-qm', 'more', '--allow-empty')
    await sh(source, 'checkout', '-q', 'main')
    const identity = parseRepositoryUrl(source)
    const repositories = createRepositories(at)
    await repositories.fetch(identity)
    for (const [n, base] of ['v1', first, 'main', undefined].entries()) {
      const request = { directory: at(`t${n}`), branch: `b${n}`, ...(base ? { base } : {}) }
      expect((await repositories.addWorktree(identity, request)).baseCommit).toBe(first)
    }
    const feature = await repositories.addWorktree(identity, { directory: at('f'), branch: 'bf', base: 'feature' })
    expect(feature.baseCommit).not.toBe(first)
  })

  it('refuses an empty repository, an unknown base, and an invalid or used branch', async () => {
    const repositories = createRepositories(at)
    await mkdir(at('empty'))
    await sh(at('empty'), 'init', '-q')
    const empty = parseRepositoryUrl(at('empty'))
    await repositories.fetch(empty)
    await expect(repositories.addWorktree(empty, { directory: at('t'), branch: 'x' })).rejects.toMatchObject({
      code: 'repository_empty',
    })
    const identity = parseRepositoryUrl(await commitAll(at('origin'), { 'a.txt': 'one\n' }))
    await repositories.fetch(identity)
    const add = (over: object) => repositories.addWorktree(identity, { directory: at('t'), branch: 'x', ...over })
    await expect(add({ base: 'none' })).rejects.toMatchObject({ code: 'branch_not_found' })
    await expect(add({ branch: '../x' })).rejects.toMatchObject({ code: 'invalid_branch' })
    await add({})
    await expect(add({ directory: at('other') })).rejects.toMatchObject({ code: 'branch_in_use' })
  })

  it('never replaces a directory that Switchyard did not create', async () => {
    const { add } = await createProject(at)
    await mkdir(at('tasks', 'mine'))
    await writeFile(at('tasks', 'mine', 'precious'), 'x')
    await expect(add('mine', 'b2')).rejects.toMatchObject({ code: 'directory_unwritable' })
    expect(await exists(at('tasks', 'mine', 'precious'))).toBe(true)
  })

  it('continues an existing branch only with reuse, and in one worktree at a time', async () => {
    const { identity, repositories, first, add } = await createProject(at)
    await sh(at('origin'), 'branch', 'theirs')
    await repositories.fetch(identity)
    await expect(add('t2', 'theirs')).rejects.toMatchObject({ code: 'branch_in_use' })
    const tries = await Promise.allSettled([add('t2', 'theirs', { reuse: true }), add('t3', 'theirs', { reuse: true })])
    expect(tries.map((one) => one.status).toSorted()).toEqual(['fulfilled', 'rejected'])
    await commitAll(first.directory, { 'done.txt': 'done\n' })
    await repositories.removeWorktree(identity, first.directory, at('tasks'))
    await expect(add('t4', 'b1')).rejects.toMatchObject({ code: 'branch_in_use' })
    const again = await add('t4', 'b1', { reuse: true })
    expect(await exists(path.join(again.directory, 'done.txt'))).toBe(true)
    expect(again.baseCommit).toBe(await sh(again.directory, 'rev-parse', 'HEAD'))
  })

  it('takes files from the mirror when an agent replaced objects of the shared clone', async () => {
    const { shared, add } = await createProject(at)
    const blob = await sh(at('origin'), 'rev-parse', 'HEAD:a.txt')
    await rm(path.join(shared, 'objects'), { recursive: true })
    await cp(at('origin', '.git', 'objects'), path.join(shared, 'objects'), { recursive: true })
    const file = path.join(shared, 'objects', blob.slice(0, 2), blob.slice(2))
    await chmod(file, 0o644)
    await writeFile(at('evil'), 'evil\n')
    const other = await sh(at('origin'), 'hash-object', '-w', at('evil'))
    await cp(at('origin', '.git', 'objects', other.slice(0, 2), other.slice(2)), file, { force: true })
    const { directory } = await add('t2', 'b2')
    expect(await readFile(path.join(directory, 'a.txt'), 'utf8')).toBe('one\n')
  })

  it.each(['refs', 'objects', 'worktrees'])('refuses a shared clone whose %s is a link', async (name) => {
    const { shared, add } = await createProject(at)
    await rename(path.join(shared, name), at('elsewhere'))
    await symlink(at('elsewhere'), path.join(shared, name))
    await expect(add('t2', 'b2')).rejects.toMatchObject({ code: 'repository_unavailable', retryable: false })
  })
})

describe('addWorktree for an existing worktree', () => {
  it('returns it with the work in it, and restores a deleted .git file', async () => {
    const { first, add } = await createProject(at)
    await writeFile(path.join(first.directory, 'work.txt'), 'work')
    expect(await add('t1', 'b1')).toMatchObject({ branch: 'b1' })
    expect(existsSync(path.join(first.directory, 'work.txt'))).toBe(true)
    await rm(path.join(first.directory, '.git'))
    await add('t1', 'b1')
    expect(await sh(first.directory, 'status', '--porcelain')).toBe('?? work.txt')
  })

  it.each([
    ['switched to another branch', ['checkout', '-qb', 'other']],
    ['detached HEAD', ['checkout', '-q', '--detach']],
    ['locked it', ['worktree', 'lock', '.']],
  ])('returns it with the work in it after the agent %s', async (_, args) => {
    const { first, add } = await createProject(at)
    await writeFile(path.join(first.directory, 'precious'), 'work')
    await sh(first.directory, ...args)
    expect(await add('t1', 'b1')).toEqual(first)
    expect(await exists(path.join(first.directory, 'precious'))).toBe(true)
  })

  it('returns the commit that the worktree started from, whatever was pushed since', async () => {
    const { identity, repositories, first, add } = await createProject(at)
    await commitAll(at('origin'), { 'b.txt': 'two\n' })
    await repositories.fetch(identity)
    expect(await add('t1', 'b1')).toEqual(first)
  })

  it('restores the links that the agent deleted in the worktree and in the shared clone', async () => {
    const { first, shared, add } = await createProject(at)
    await rm(path.join(first.directory, '.git'))
    await rm(path.join(shared, 'worktrees'), { recursive: true })
    expect(await add('t1', 'b1')).toEqual(first)
    expect(await sh(first.directory, 'status', '--porcelain', '--branch')).toBe('## b1')
  })

  it('creates a deleted directory again at the tip of its branch', async () => {
    const { first, add } = await createProject(at)
    await commitAll(first.directory, { 'done.txt': 'done\n' })
    await rm(first.directory, { recursive: true })
    expect(await add('t1', 'b1')).toEqual(first)
    expect(await exists(path.join(first.directory, 'done.txt'))).toBe(true)
  })

  it('gives concurrent callers the same worktree', async () => {
    const { add } = await createProject(at)
    for (let round = 0; round < 5; round += 1) {
      const name = `same-${round}`
      const added = await Promise.all(Array.from({ length: 8 }, () => add(name, name)))
      expect(new Set(added.map((one) => JSON.stringify(one))).size).toBe(1)
      expect(await sh(at('tasks', name), 'status', '--porcelain', '--branch')).toBe(`## ${name}`)
    }
    expect((await readdir(at('tasks'))).filter((name) => name.includes('.new-'))).toEqual([])
  })

  it('succeeds for one of many concurrent callers that use the same branch in different directories', async () => {
    const { add } = await createProject(at)
    const tries = await Promise.allSettled(Array.from({ length: 8 }, (_, n) => add(`dir-${n}`, 'one-branch')))
    const refused = tries.filter((one) => one.status === 'rejected')
    expect(refused).toHaveLength(7)
    for (const one of refused) expect(one.reason).toMatchObject({ code: 'branch_in_use' })
  })
})

describe('removeWorktree', () => {
  it('removes a worktree and refuses any other directory', async () => {
    const { identity, repositories } = await createProject(at)
    await mkdir(at('tasks', 'not-ours'))
    for (const directory of [at('tasks', 'not-ours'), at('repos'), repositories.sharedDirectory(identity), at('tasks')])
      await expect(repositories.removeWorktree(identity, directory, at('tasks'))).rejects.toMatchObject({
        code: 'path_outside_workspace',
      })
    await repositories.removeWorktree(identity, at('tasks', 't1'), at('tasks'))
    expect(existsSync(at('tasks', 't1'))).toBe(false)
    expect(existsSync(at('tasks', 'not-ours'))).toBe(true)
  })

  it('refuses a worktree that only an agent declared', async () => {
    const { identity, repositories, shared } = await createProject(at)
    await mkdir(at('tasks', 'forged'))
    await writeFile(at('tasks', 'forged', '.git'), `gitdir: ${shared}/worktrees/forged\n`)
    await mkdir(path.join(shared, 'worktrees', 'forged'))
    await writeFile(path.join(shared, 'worktrees', 'forged', 'gitdir'), `${at('tasks', 'forged', '.git')}\n`)
    await expect(repositories.removeWorktree(identity, at('tasks', 'forged'), at('tasks'))).rejects.toMatchObject({
      code: 'path_outside_workspace',
    })
  })

  it('removes a link that replaced the worktree, but not its target, and keeps the branch', async () => {
    const { identity, repositories, first, shared } = await createProject(at)
    await mkdir(at('elsewhere'))
    await writeFile(at('elsewhere', 'precious'), 'x')
    await rm(first.directory, { recursive: true })
    await symlink(at('elsewhere'), first.directory)
    await repositories.removeWorktree(identity, first.directory, at('tasks'))
    expect(await exists(at('elsewhere', 'precious'))).toBe(true)
    expect(await exists(first.directory)).toBe(false)
    expect(await sh(path.dirname(shared), 'branch', '--list', 'b1')).toContain('b1')
    await repositories.removeWorktree(identity, first.directory, at('tasks'))
  })
})

describe('staging directories', () => {
  it('are removed when abandoned, but not worktrees and other directories with similar names', async () => {
    const { identity, repositories, add } = await createProject(at)
    const other = parseRepositoryUrl(await commitAll(at('other'), { 'a.txt': 'one\n' }))
    await repositories.fetch(other)
    const similar = 'ui.new-0123abcd-1-0123abcd'
    await add('ui.new-nav', 'b2')
    await add(similar, 'b3')
    await repositories.addWorktree(other, { directory: at('tasks', 'ui.new-menu'), branch: 'b' })
    await repositories.addWorktree(other, { directory: at('tasks', 'ui.new-0123abcd-2-0123abcd'), branch: 'c' })
    await mkdir(at('tasks', 'ui.new-mine'))
    const names = (await readdir(at('tasks'))).toSorted()
    const longAgo = new Date(Date.now() - 86_400_000)
    const abandoned = at('tasks', 'ui.new-0123abcd-3-0123abcd')
    await mkdir(abandoned)
    for (const name of await readdir(at('tasks'))) await utimes(at('tasks', name), longAgo, longAgo)
    await add('ui', 'b4')
    expect((await readdir(at('tasks'))).toSorted()).toEqual([...names, 'ui'].toSorted())
    await mkdir(abandoned)
    await repositories.removeWorktree(identity, at('tasks', 'ui'), at('tasks'))
    expect((await readdir(at('tasks'))).toSorted()).toEqual(names)
    expect(await exists(at('tasks', similar, 'a.txt'))).toBe(true)
  })
})
