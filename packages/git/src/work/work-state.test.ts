import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { appendFile, chmod, mkdir, mkdtemp, readdir, realpath, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { findClones, readCheckout } from '../foreign/find-clones.ts'
import { commit, createLock, sh } from '../git.fixture.ts'
import { parseRepositoryUrl } from '../identity/identity.ts'
import { Repositories } from '../repositories.ts'
import { describeLoss } from './work-state.ts'

const run = promisify(execFile)

let root: string
const at = (...names: string[]) => path.join(root, ...names)
const lock = createLock()

/** A project, its remote, and one worktree of it. */
const project = async () => {
  await sh(root, 'init', '-q', '--bare', '-b', 'main', at('remote.git'))
  await sh(root, 'clone', '-q', at('remote.git'), at('mine'))
  const begun = await commit(at('mine'), 'a.txt')
  await sh(at('mine'), 'push', '-q', 'origin', 'HEAD:main')
  const identity = parseRepositoryUrl(at('remote.git'))
  const repositories = new Repositories({ mirrorsDir: at('mirrors'), sharedDir: at('repos'), lock })
  await repositories.fetch(identity)
  await repositories.addWorktree(identity, { directory: at('boxes', 'w'), branch: 'work' })
  return { identity, repositories, begun, worktree: at('boxes', 'w') }
}

beforeEach(async () => {
  root = await realpath(await mkdtemp(path.join(tmpdir(), 'switchyard-state-')))
})

afterEach(async () => {
  await rm(root, { recursive: true, force: true })
})

describe('the state of a working directory', () => {
  it('tells what is nowhere else: changes, commits, and how far it is from its base', async () => {
    const { identity, repositories, worktree, begun } = await project()
    const fresh = await repositories.work.state(identity, worktree)
    expect(fresh).toMatchObject({ branch: 'work', head: begun, ahead: 0, behind: 0, dirty: 0, unpushed: 0, stashes: 0 })
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

  it('knows what was published from it, until something is changed again', async () => {
    const { identity, repositories, worktree } = await project()
    await writeFile(path.join(worktree, 'a.txt'), 'changed\n')
    await writeFile(path.join(worktree, 'new.txt'), 'new\n')
    expect(await repositories.work.isPublished(identity, worktree)).toBe(false)
    await repositories.work.publish(identity, { directory: worktree, branch: 'work' })
    expect(await repositories.work.state(identity, worktree)).toMatchObject({ dirty: 2, unpushed: 0 })
    expect(await repositories.work.isPublished(identity, worktree)).toBe(true)
    // Somebody goes on from there: what was published is in the branch's past.
    await sh(at('mine'), 'fetch', '-q')
    await sh(at('mine'), 'checkout', '-q', 'work')
    await commit(at('mine'), 'theirs.txt')
    await sh(at('mine'), 'push', '-q', 'origin', 'work')
    await repositories.fetch(identity)
    expect(await repositories.work.isPublished(identity, worktree)).toBe(true)
    await writeFile(path.join(worktree, 'new.txt'), 'newer\n')
    expect(await repositories.work.isPublished(identity, worktree)).toBe(false)
    // What takes the changes back is a change as well: only the commit before them has it.
    await sh(worktree, 'commit', '-qam', 'mine')
    await writeFile(path.join(worktree, 'a.txt'), 'a.txt\n')
    await rm(path.join(worktree, 'new.txt'))
    expect(await repositories.work.isPublished(identity, worktree)).toBe(false)
  })

  it('of a checkout of one’s own counts all its branches and stashes', async () => {
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

  it('is told before the first fetch too, as far as the checkout itself knows', async () => {
    const { repositories } = await project()
    const unknown = parseRepositoryUrl('git@h.example:o/r')
    await commit(at('mine'), 'b.txt')
    expect(await repositories.work.state(unknown, at('mine'))).toMatchObject({ unpushed: 1, ahead: null, behind: null })
  })

  it('counts what is on its branch, wherever the agent has switched to', async () => {
    const { identity, repositories, worktree } = await project()
    await commit(worktree, 'b.txt')
    await sh(worktree, 'checkout', '-q', '--detach', 'HEAD~1')
    const state = await repositories.work.state(identity, worktree)
    expect(state).toMatchObject({ branch: null, ahead: 0, unpushed: 1 })
  })

  it('is right again and again where the index of the last look is used, whatever happened meanwhile', async () => {
    const { identity, repositories, worktree } = await project()
    const dirty = async () => (await (await repositories.work.states(identity))(worktree)).dirty
    expect(await dirty()).toBe(0)
    // As long as before, at once after the look.
    await writeFile(path.join(worktree, 'a.txt'), 'A.TXT\n')
    expect(await dirty()).toBe(1)
    await writeFile(path.join(worktree, 'a.txt'), 'a.txt\n')
    expect(await dirty()).toBe(0)
    // With the time that it had.
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
    const kept = path.join(root, 'mirrors', `${identity.slug}.indexes`)
    const [name = '', ...more] = await readdir(kept)
    expect(more).toEqual([])
    await writeFile(path.join(kept, name), 'no index')
    expect(await dirty()).toBe(1)
    await repositories.removeWorktree(identity, worktree, at('boxes'))
    expect(await readdir(kept)).toEqual([])
  })

  it('counts the files of repositories inside of it, and a pipe in a file’s place', async () => {
    const { identity, repositories, worktree } = await project()
    await sh(root, 'clone', '-q', at('remote.git'), path.join(worktree, 'inner'))
    await writeFile(path.join(worktree, 'inner', 'more.txt'), 'more\n')
    await rm(path.join(worktree, 'a.txt'))
    await run('mkfifo', [path.join(worktree, 'a.txt')])
    expect(await repositories.work.state(identity, worktree)).toMatchObject({ dirty: 3 })
  })

  it('runs nothing that the directory names', async () => {
    const { identity, repositories, worktree } = await project()
    await writeFile(at('evil'), `#!/bin/sh\ntouch ${at('ran')}\ncat\n`)
    await chmod(at('evil'), 0o755)
    const config = `[core]\n\tfsmonitor = ${at('evil')}\n[filter "x"]\n\tclean = ${at('evil')}\n\tsmudge = ${at('evil')}\n`
    const shared = path.join(repositories.sharedDirectory(identity), '.git')
    for (const file of [path.join(shared, 'config'), at('mine', '.git', 'config')]) await appendFile(file, config)
    for (const directory of [worktree, at('mine')]) {
      await writeFile(path.join(directory, '.gitattributes'), '* filter=x\n')
      await writeFile(path.join(directory, 'a.txt'), 'changed\n')
      expect(await repositories.work.state(identity, directory)).toMatchObject({ dirty: 2 })
    }
    expect(existsSync(at('ran'))).toBe(false)
  })

  it('of what is gone, or is no checkout, is an error', async () => {
    const { identity, repositories } = await project()
    await mkdir(at('plain'))
    for (const place of [at('plain'), at('nowhere')])
      await expect(repositories.work.state(identity, place)).rejects.toMatchObject({ code: 'workspace_gone' })
  })
})

describe('a checkout', () => {
  it('is known by its remote, and a linked worktree by what it belongs to', async () => {
    await sh(root, 'init', '-q', at('one'))
    await commit(at('one'), 'a.txt')
    expect(await readCheckout(at('one'))).toEqual({ directory: at('one'), origin: null, linkedTo: null })
    await sh(at('one'), 'remote', 'add', 'origin', 'https://me:secret-Zq@github.com/Acme/Web.git')
    await sh(at('one'), 'worktree', 'add', '-q', at('linked'))
    const linked = await readCheckout(at('linked'))
    expect(linked).toMatchObject({ origin: { key: 'github.com/acme/web' }, linkedTo: at('one') })
    expect(JSON.stringify(linked)).not.toContain('secret')
    expect(await readCheckout(root)).toBeNull()
    await sh(root, 'clone', '-q', '--bare', at('one'), at('bare.git'))
    expect(await readCheckout(at('bare.git'))).toMatchObject({ origin: { key: at('one') }, linkedTo: null })
  })

  it('cannot include or run anything to say whose it is', async () => {
    await sh(root, 'init', '-q', at('one'))
    await writeFile(at('included'), '[remote "origin"]\n\turl = https://h.example/not/this\n')
    await appendFile(
      at('one', '.git', 'config'),
      `[include]\n\tpath = ${at('included')}\n[remote "up"]\n\turl = git@h.example:o/r\n`,
    )
    expect((await readCheckout(at('one')))?.origin?.key).toBe('h.example/o/r')
    await rm(at('one', '.git', 'config'))
    await run('mkfifo', [at('one', '.git', 'config')])
    expect((await readCheckout(at('one')))?.origin).toBeNull()
  })

  it('is found below a directory, clones of one repository under one key', async () => {
    for (const [place, url] of [
      ['a/web', 'git@github.com:acme/web'],
      ['b/web-again', 'https://github.com/Acme/Web.git'],
      ['deep/1/2/3/4/5', 'git@github.com:acme/deep'],
      ['node_modules/x', 'git@github.com:acme/x'],
    ] as const) {
      await sh(root, 'init', '-q', at(place))
      await sh(at(place), 'remote', 'add', 'origin', url)
    }
    const { clones, isTruncated } = await findClones(root)
    expect(clones.map(({ directory, origin }) => [path.relative(root, directory), origin?.key])).toEqual([
      ['a/web', 'github.com/acme/web'],
      ['b/web-again', 'github.com/acme/web'],
    ])
    expect(isTruncated).toBe(false)
  })
})
