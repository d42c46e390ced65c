import { existsSync } from 'node:fs'
import { mkdir, rm, truncate, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { commit, createEvil, createRepositories, sh, useTestDirectory } from '../git.fixture.ts'
import { parseRepositoryUrl } from '../identity/identity.ts'
import { bundleSinceBase } from './bundle-since-base.ts'
import { describeLoss } from './work-state.ts'

const at = useTestDirectory()
/** Creates a project with one worktree. `restore` clones its bundle, and returns the refs in it. */
const project = async () => {
  await mkdir(at('origin'), { recursive: true })
  await sh(at('origin'), 'init', '-q', '-b', 'main')
  await commit(at('origin'), 'a.txt')
  const identity = parseRepositoryUrl(at('origin'))
  const repositories = createRepositories(at)
  await repositories.fetch(identity)
  const { directory, baseCommit } = await repositories.addWorktree(identity, {
    directory: at('boxes', 'x'),
    branch: 'sandbox/x',
  })
  const restore = async () => {
    await rm(at('restored'), { recursive: true, force: true })
    await sh(at(), 'clone', '-q', '--mirror', at('bundles', 'x.bundle'), at('restored'))
    return (await sh(at('restored'), 'for-each-ref', '--format=%(refname)')).split('\n')
  }
  return {
    identity,
    repositories,
    directory,
    baseCommit,
    objectDirs: await repositories.objectDirectories(identity, directory),
    loss: async () => describeLoss(await repositories.work.state(identity, directory)),
    bundle: () => repositories.work.bundle(identity, directory, at('bundles', 'x.bundle')),
    restore,
    show: (name: string) => sh(at('restored'), 'show', name),
  }
}

describe('RepositoryWork.bundle', () => {
  it('saves the files of a branch without commits, and the branch that the worktree was created on', async () => {
    const { directory, loss, bundle, restore, show } = await project()
    await commit(directory, 'done.txt')
    await sh(directory, 'checkout', '-q', '--orphan', 'pages')
    await writeFile(path.join(directory, 'page.html'), 'hello\n')
    expect(await loss()).toBe('3 uncommitted changes, 1 unpushed commit')
    expect(await bundle()).toBe(true)
    expect(await restore()).toEqual(['refs/heads/sandbox/x', 'refs/switchyard/worktree'])
    expect(await show('refs/switchyard/worktree:page.html')).toBe('hello')
    expect(await show('refs/switchyard/worktree:done.txt')).toBe('done.txt')
    expect(await show('refs/heads/sandbox/x:done.txt')).toBe('done.txt')
    expect(await sh(at('restored'), 'rev-list', '--count', 'refs/switchyard/worktree')).toBe('1')
  })

  it('saves the branch of the worktree after the agent checked out something else', async () => {
    const { directory, loss, bundle, restore, show } = await project()
    await commit(directory, 'done.txt')
    await sh(directory, 'checkout', '-q', '--detach', 'origin/main')
    await commit(directory, 'detached.txt')
    expect(await loss()).toBe('2 unpushed commits')
    expect(await bundle()).toBe(true)
    expect(await restore()).toEqual(['refs/heads/sandbox/x', 'refs/switchyard/head'])
    expect(await show('refs/heads/sandbox/x:done.txt')).toBe('done.txt')
    expect(await show('refs/switchyard/head:detached.txt')).toBe('detached.txt')
  })

  it('saves more than ten thousand untracked files', { timeout: 120_000 }, async () => {
    const { directory, bundle, restore, show, objectDirs, baseCommit } = await project()
    await mkdir(path.join(directory, 'node_modules'))
    await mkdir(path.join(directory, 'src'))
    for (let at = 0; at < 10_050; at += 50)
      await Promise.all(
        Array.from({ length: 50 }, (_, n) => writeFile(path.join(directory, 'node_modules', `${at + n}.js`), '')),
      )
    await writeFile(path.join(directory, 'src', 'new.ts'), 'new\n')
    expect(await bundle()).toBe(true)
    await restore()
    expect(await show('refs/switchyard/worktree:src/new.ts')).toBe('new')
    // bundleSinceBase has the same limits.
    const file = at('task.bundle')
    expect(await bundleSinceBase({ directory, base: baseCommit, objectDirs, file, branch: 'task' })).toBe(true)
    await sh(at('origin'), 'fetch', '-q', file, 'task:saved')
    expect(await sh(at('origin'), 'show', 'saved:src/new.ts')).toBe('new')
  })

  it('saves the files of all nested repositories', async () => {
    const { directory, loss, bundle, restore, show } = await project()
    for (let n = 0; n < 25; n += 1) {
      await mkdir(path.join(directory, `inner${n}`))
      await sh(path.join(directory, `inner${n}`), 'init', '-q')
    }
    await writeFile(path.join(directory, 'inner9', 'mine.txt'), 'mine\n')
    expect(await loss()).toMatch(/uncommitted change/)
    expect(await bundle()).toBe(true)
    await restore()
    expect(await show('refs/switchyard/worktree:inner9/mine.txt')).toBe('mine')
  })

  it('refuses a directory with a file over 512 MiB, and names the file', async () => {
    const { directory, bundle, objectDirs, baseCommit } = await project()
    await writeFile(path.join(directory, 'huge.bin'), '')
    await truncate(path.join(directory, 'huge.bin'), 2 ** 30)
    const refused = { code: 'payload_too_large', message: expect.stringContaining('huge.bin') }
    await expect(bundle()).rejects.toMatchObject(refused)
    const file = at('bundles', 'task.bundle')
    await expect(
      bundleSinceBase({ directory, base: baseCommit, objectDirs, file, branch: 'task' }),
    ).rejects.toMatchObject(refused)
    expect(existsSync(at('bundles'))).toBe(false)
  })

  it('saves all work after the agent deleted .git, or created another repository in its place', async () => {
    const { directory, loss, bundle, restore, show } = await project()
    await commit(directory, 'done.txt')
    await writeFile(path.join(directory, 'new.txt'), 'new\n')
    await rm(path.join(directory, '.git'))
    expect(await loss()).toBe('1 uncommitted change, 1 unpushed commit')
    for (const hasOtherRepository of [false, true]) {
      if (hasOtherRepository) await sh(directory, 'init', '-q')
      expect(await bundle()).toBe(true)
      await restore()
      expect(await show('refs/heads/sandbox/x:done.txt')).toBe('done.txt')
      expect(await show('refs/switchyard/worktree:new.txt')).toBe('new')
    }
  })

  it('saves the work in a worktree of a shallow repository', async () => {
    await mkdir(at('whole'))
    await sh(at('whole'), 'init', '-q', '-b', 'main')
    await commit(at('whole'), 'a.txt')
    await commit(at('whole'), 'b.txt')
    await sh(at(), 'clone', '-q', '--depth=1', `file://${at('whole')}`, at('shallow'))
    const identity = parseRepositoryUrl(at('shallow'))
    const repositories = createRepositories(at)
    await repositories.fetch(identity)
    const { directory } = await repositories.addWorktree(identity, { directory: at('w'), branch: 'w' })
    await commit(directory, 'done.txt')
    expect(await repositories.work.bundle(identity, directory, at('w.bundle'))).toBe(true)
    await sh(at('whole'), 'fetch', '-q', at('w.bundle'), 'refs/heads/w:saved')
    expect(await sh(at('whole'), 'show', 'saved:done.txt')).toBe('done.txt')
  })
})

describe('the work in a submodule', () => {
  /** Creates a worktree with a submodule, as `git submodule update --init` does. */
  const withSubmodule = async () => {
    await mkdir(at('lib'))
    await sh(at('lib'), 'init', '-q', '-b', 'main')
    await commit(at('lib'), 'l.txt')
    await mkdir(at('origin'))
    await sh(at('origin'), 'init', '-q', '-b', 'main')
    await sh(at('origin'), '-c', 'protocol.file.allow=always', 'submodule', '--quiet', 'add', at('lib'), 'lib')
    const created = await project()
    const inside = path.join(created.directory, 'lib')
    await sh(created.directory, '-c', 'protocol.file.allow=always', 'submodule', '--quiet', 'update', '--init')
    return { ...created, inside }
  }

  it('is not counted when the submodule is as its superproject names it, or not checked out', async () => {
    const { directory, inside, loss } = await withSubmodule()
    expect(existsSync(path.join(inside, 'l.txt'))).toBe(true)
    expect(await loss()).toBeNull()
    // No remote branch reaches the commit any more, but the superproject names it.
    await sh(inside, 'update-ref', '-d', 'refs/remotes/origin/main')
    expect(await loss()).toBeNull()
    await sh(directory, 'submodule', '--quiet', 'deinit', '--force', 'lib')
    expect(await loss()).toBeNull()
  })

  it('is counted and saved, committed or not', async () => {
    const { identity, repositories, directory, inside, loss, bundle, restore, show } = await withSubmodule()
    await writeFile(path.join(inside, 'l.txt'), 'stashed\n')
    await sh(inside, 'stash', '-q')
    expect(await loss()).toBe('1 stash')
    await commit(inside, 'committed.txt')
    await sh(inside, 'checkout', '-q', '-b', 'side')
    await commit(inside, 'side.txt')
    await sh(inside, 'checkout', '-q', '--detach', 'HEAD~1')
    await writeFile(path.join(inside, 'l.txt'), 'changed\n')
    await writeFile(path.join(inside, 'new.txt'), 'new\n')
    expect(await loss()).toBe('2 uncommitted changes, 2 unpushed commits, 1 stash')
    expect(await repositories.work.isPublished(identity, directory)).toBe(false)
    expect(await bundle()).toBe(true)
    expect(await restore()).toEqual([
      'refs/heads/sandbox/x',
      'refs/switchyard/head',
      'refs/switchyard/submodules/0-lib/head',
      'refs/switchyard/submodules/0-lib/heads/main',
      'refs/switchyard/submodules/0-lib/heads/side',
      'refs/switchyard/submodules/0-lib/stash/0',
      'refs/switchyard/worktree',
    ])
    expect(await show('refs/switchyard/worktree:lib/l.txt')).toBe('changed')
    expect(await show('refs/switchyard/worktree:lib/new.txt')).toBe('new')
    expect(await show('refs/switchyard/submodules/0-lib/head:committed.txt')).toBe('committed.txt')
    expect(await show('refs/switchyard/submodules/0-lib/heads/side:side.txt')).toBe('side.txt')
    expect(await show('refs/switchyard/submodules/0-lib/stash/0:l.txt')).toBe('stashed')
  })

  it('is counted when a pushed superproject names an unpushed commit', async () => {
    const { directory, inside, loss } = await withSubmodule()
    await commit(inside, 'committed.txt')
    await sh(directory, 'commit', '-qam', 'the newer lib')
    await sh(directory, 'push', '-q', at('origin'), 'HEAD:refs/heads/pushed')
    expect(await loss()).toBe('2 unpushed commits')
  })

  it('is saved by bundleSinceBase', async () => {
    const { identity, repositories, inside, baseCommit: base, directory, objectDirs } = await withSubmodule()
    const file = at('task.bundle')
    const gitDirectory = await repositories.work.gitDirectoryOf(identity, directory)
    expect(await bundleSinceBase({ directory, base, objectDirs, gitDirectory, file, branch: 'task' })).toBe(false)
    await commit(inside, 'committed.txt')
    expect(await bundleSinceBase({ directory, base, objectDirs, gitDirectory, file, branch: 'task' })).toBe(true)
    await sh(at('origin'), 'fetch', '-q', file, 'task:task', 'refs/switchyard/submodules/0-lib/head:lib')
    expect(await sh(at('origin'), 'show', 'task:lib/committed.txt')).toBe('committed.txt')
    expect(await sh(at('origin'), 'show', 'lib:committed.txt')).toBe('committed.txt')
  })

  it('consists of all files when the submodule names a repository elsewhere, which is not read', async () => {
    const { inside, loss, bundle, restore, show } = await withSubmodule()
    await sh(at(), 'clone', '-q', at('lib'), at('secret'))
    await commit(at('secret'), 'secret.txt')
    await rm(path.join(inside, '.git'))
    await writeFile(path.join(inside, '.git'), `gitdir: ${at('secret', '.git')}\n`)
    expect(await loss()).toBe('1 uncommitted change')
    expect(await bundle()).toBe(true)
    expect(await restore()).toEqual(['refs/heads/sandbox/x', 'refs/switchyard/head', 'refs/switchyard/worktree'])
    expect(await show('refs/switchyard/worktree:lib/l.txt')).toBe('l.txt')
  })

  it('is counted and saved without running what the submodule configures', async () => {
    const { inside, loss, bundle } = await withSubmodule()
    const { file: evil, hasRun } = await createEvil(at)
    for (const [key, value] of [
      ['core.fsmonitor', evil],
      ['filter.x.clean', evil],
      ['core.hooksPath', at()],
    ] as const)
      await sh(inside, 'config', key, value)
    await writeFile(path.join(inside, '.gitattributes'), '* filter=x\n')
    expect(await loss()).toBe('1 uncommitted change')
    expect(await bundle()).toBe(true)
    expect(await hasRun()).toBe(false)
  })

  it('is counted and saved in a nested submodule', async () => {
    await mkdir(at('deep'))
    await sh(at('deep'), 'init', '-q', '-b', 'main')
    await commit(at('deep'), 'd.txt')
    await mkdir(at('lib'))
    await sh(at('lib'), 'init', '-q', '-b', 'main')
    await sh(at('lib'), '-c', 'protocol.file.allow=always', 'submodule', '--quiet', 'add', at('deep'), 'deep')
    await commit(at('lib'), 'l.txt')
    await mkdir(at('origin'))
    await sh(at('origin'), 'init', '-q', '-b', 'main')
    await sh(at('origin'), '-c', 'protocol.file.allow=always', 'submodule', '--quiet', 'add', at('lib'), 'lib')
    const { directory, loss, bundle, restore, show } = await project()
    await sh(directory, '-c', 'protocol.file.allow=always', 'submodule', '--quiet', 'update', '--init', '--recursive')
    expect(await loss()).toBeNull()
    await commit(path.join(directory, 'lib', 'deep'), 'mine.txt')
    expect(await loss()).toBe('1 unpushed commit')
    expect(await bundle()).toBe(true)
    await restore()
    expect(await show('refs/switchyard/submodules/1-lib-deep/head:mine.txt')).toBe('mine.txt')
    expect(await show('refs/switchyard/worktree:lib/deep/mine.txt')).toBe('mine.txt')
  })
})
