import { execFile } from 'node:child_process'
import { appendFile, mkdir, readdir, rm, stat, utimes, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { commit, createEvil, createRepositories, sh, useTestDirectory } from '../git.fixture.ts'
import { parseRepositoryUrl } from '../identity/identity.ts'
import { describeLoss } from './work-state.ts'

const run = promisify(execFile)

const at = useTestDirectory()
/** Creates a remote, a clone `mine` of a person, and a project with one worktree. */
const project = async () => {
  await sh(at(), 'init', '-q', '--bare', '-b', 'main', at('remote.git'))
  await sh(at(), 'clone', '-q', at('remote.git'), at('mine'))
  const baseCommit = await commit(at('mine'), 'a.txt')
  await sh(at('mine'), 'push', '-q', 'origin', 'HEAD:main')
  const identity = parseRepositoryUrl(at('remote.git'))
  const repositories = createRepositories(at)
  await repositories.fetch(identity)
  await repositories.addWorktree(identity, { directory: at('boxes', 'w'), branch: 'work' })
  return { identity, repositories, baseCommit, worktree: at('boxes', 'w') }
}

describe('RepositoryWork.state', () => {
  it('counts changes, unpushed commits, and the distance from the base', async () => {
    const { identity, repositories, worktree, baseCommit } = await project()
    const fresh = await repositories.work.state(identity, worktree)
    expect(fresh).toMatchObject({
      branch: 'work',
      head: baseCommit,
      ahead: 0,
      behind: 0,
      dirty: 0,
      unpushed: 0,
      stashes: 0,
    })
    expect(fresh.diskBytes).toBeGreaterThan(0)
    expect(describeLoss(fresh)).toBeNull()
    await commit(worktree, 'b.txt')
    await commit(at('mine'), 'c.txt')
    await sh(at('mine'), 'push', '-q', 'origin', 'HEAD:main')
    await repositories.fetch(identity)
    await writeFile(path.join(worktree, 'a.txt'), 'changed\n')
    await writeFile(path.join(worktree, 'new.txt'), 'new\n')
    await rm(path.join(worktree, 'b.txt'))
    const state = await repositories.work.state(identity, worktree)
    expect(state).toMatchObject({ ahead: 1, behind: 1, dirty: 3, unpushed: 1, stashes: 0 })
    expect(describeLoss(state)).toBe('3 uncommitted changes, 1 unpushed commit')
    await sh(worktree, 'push', '-q', at('remote.git'), 'HEAD:refs/heads/work')
    await repositories.fetch(identity)
    expect(await repositories.work.state(identity, worktree)).toMatchObject({ ahead: 1, unpushed: 0 })
    expect(await repositories.work.state(identity, worktree, { base: 'work' })).toMatchObject({ ahead: 0, behind: 0 })
  })

  it("counts all branches and stashes of a user's own checkout", async () => {
    const { identity, repositories } = await project()
    await sh(at('mine'), 'checkout', '-qb', 'side')
    await commit(at('mine'), 's.txt')
    await sh(at('mine'), 'checkout', '-q', 'main')
    await writeFile(at('mine', 'a.txt'), 'stashed\n')
    await sh(at('mine'), 'stash')
    await writeFile(at('mine', '.gitignore'), 'ignored\n')
    await writeFile(at('mine', 'ignored'), 'x')
    expect(await repositories.work.state(identity, at('mine'))).toMatchObject({ dirty: 1, unpushed: 1, stashes: 1 })
    await sh(at('mine'), 'pack-refs', '--all')
    expect(await repositories.work.state(identity, at('mine'))).toMatchObject({ unpushed: 1 })
  })

  it('uses the remote branches that the checkout knows before the first fetch', async () => {
    const { repositories } = await project()
    const unknown = parseRepositoryUrl('git@h.example:o/r')
    await commit(at('mine'), 'b.txt')
    expect(await repositories.work.state(unknown, at('mine'))).toMatchObject({ unpushed: 1, ahead: null, behind: null })
  })

  it('counts commits of the branch of a worktree after the agent checked out something else', async () => {
    const { identity, repositories, worktree } = await project()
    await commit(worktree, 'b.txt')
    await sh(worktree, 'checkout', '-q', '--detach', 'HEAD~1')
    const state = await repositories.work.state(identity, worktree)
    expect(state).toMatchObject({ branch: null, ahead: 0, unpushed: 1 })
  })

  it('counts the files of nested repositories, and a pipe that replaced a file', async () => {
    const { identity, repositories, worktree } = await project()
    await sh(at(), 'clone', '-q', at('remote.git'), path.join(worktree, 'inner'))
    await writeFile(path.join(worktree, 'inner', 'more.txt'), 'more\n')
    await rm(path.join(worktree, 'a.txt'))
    await run('mkfifo', [path.join(worktree, 'a.txt')])
    expect(await repositories.work.state(identity, worktree)).toMatchObject({ dirty: 3 })
  })

  it('runs nothing that the directory configures', async () => {
    const { identity, repositories, worktree } = await project()
    const { file: evil, hasRun } = await createEvil(at)
    const config = `[core]\n\tfsmonitor = ${evil}\n[filter "x"]\n\tclean = ${evil}\n\tsmudge = ${evil}\n`
    const shared = path.join(repositories.sharedDirectory(identity), '.git')
    for (const file of [path.join(shared, 'config'), at('mine', '.git', 'config')]) await appendFile(file, config)
    for (const directory of [worktree, at('mine')]) {
      await writeFile(path.join(directory, '.gitattributes'), '* filter=x\n')
      await writeFile(path.join(directory, 'a.txt'), 'changed\n')
      expect(await repositories.work.state(identity, directory)).toMatchObject({ dirty: 2 })
    }
    expect(await hasRun()).toBe(false)
  })

  it('reports a directory that is missing or not a checkout as workspace_gone', async () => {
    const { identity, repositories } = await project()
    await mkdir(at('plain'))
    for (const directory of [at('plain'), at('nowhere')])
      await expect(repositories.work.state(identity, directory)).rejects.toMatchObject({ code: 'workspace_gone' })
  })
})

describe('RepositoryWork.states', () => {
  it('counts correctly with the cached index, whatever changed since the last call', async () => {
    const { identity, repositories, worktree } = await project()
    const dirty = async () => (await (await repositories.work.states(identity))(worktree)).dirty
    expect(await dirty()).toBe(0)
    // The same size, right after the last call.
    await writeFile(path.join(worktree, 'a.txt'), 'A.TXT\n')
    expect(await dirty()).toBe(1)
    await writeFile(path.join(worktree, 'a.txt'), 'a.txt\n')
    expect(await dirty()).toBe(0)
    // The same size and time.
    const { atime, mtime } = await stat(path.join(worktree, 'a.txt'))
    await writeFile(path.join(worktree, 'a.txt'), 'A.txt\n')
    await utimes(path.join(worktree, 'a.txt'), atime, mtime)
    expect(await dirty()).toBe(1)
    await sh(worktree, 'checkout', '-q', '--', '.')
    await commit(worktree, 'b.txt')
    expect(await dirty()).toBe(0)
    await sh(worktree, 'reset', '-q', '--soft', 'HEAD~1')
    expect(await dirty()).toBe(1)
    expect(await Promise.all([dirty(), dirty(), dirty()])).toEqual([1, 1, 1])
    const cache = at('mirrors', `${identity.slug}.indexes`)
    const [name = '', ...more] = await readdir(cache)
    expect(more).toEqual([])
    await writeFile(path.join(cache, name), 'no index')
    expect(await dirty()).toBe(1)
    await repositories.removeWorktree(identity, worktree, at('boxes'))
    expect(await readdir(cache)).toEqual([])
  })
})

describe('RepositoryWork.isPublished', () => {
  it('returns true after publishing, until a file changes', async () => {
    const { identity, repositories, worktree } = await project()
    await writeFile(path.join(worktree, 'a.txt'), 'changed\n')
    await writeFile(path.join(worktree, 'new.txt'), 'new\n')
    expect(await repositories.work.isPublished(identity, worktree)).toBe(false)
    await repositories.work.publish(identity, { directory: worktree, branch: 'work' })
    expect(await repositories.work.state(identity, worktree)).toMatchObject({ dirty: 2, unpushed: 0 })
    expect(await repositories.work.isPublished(identity, worktree)).toBe(true)
    // Somebody adds a commit: the published one is now in the history of the branch.
    await sh(at('mine'), 'fetch', '-q')
    await sh(at('mine'), 'checkout', '-q', 'work')
    await commit(at('mine'), 'theirs.txt')
    await sh(at('mine'), 'push', '-q', 'origin', 'work')
    await repositories.fetch(identity)
    expect(await repositories.work.isPublished(identity, worktree)).toBe(true)
    await writeFile(path.join(worktree, 'new.txt'), 'newer\n')
    expect(await repositories.work.isPublished(identity, worktree)).toBe(false)
    // Reverting the changes is a change too: only a commit before them has these files.
    await sh(worktree, 'commit', '-qam', 'mine')
    await writeFile(path.join(worktree, 'a.txt'), 'a.txt\n')
    await rm(path.join(worktree, 'new.txt'))
    expect(await repositories.work.isPublished(identity, worktree)).toBe(false)
  })
})
