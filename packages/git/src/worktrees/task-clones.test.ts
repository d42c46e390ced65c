import { existsSync } from 'node:fs'
import { appendFile, chmod, cp, mkdir, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { diffAgainst } from '../changes/diff.ts'
import { commit, commitAll, createEvil, createRepositories, exists, sh, useTestDirectory } from '../git.fixture.ts'
import { parseRepositoryUrl } from '../identity/identity.ts'
import { bundleSinceBase } from '../work/bundle-since-base.ts'

const at = useTestDirectory()

/** Fetches a repository, and returns what creates and reads clones of it. */
const project = async () => {
  const origin = at('origin')
  await commitAll(origin, { 'a.txt': 'one\n', '.gitattributes': '*.x filter=x diff=x merge=x\n', 'b.x': 'x\n' })
  await sh(origin, 'tag', 'v1')
  await sh(origin, 'branch', 'theirs')
  const identity = parseRepositoryUrl(origin)
  const repositories = createRepositories(at)
  await repositories.fetch(identity)
  const add = (name: string, more: object = {}) =>
    repositories.addClone(identity, { directory: at('tasks', name), branch: `switchyard/${name}`, ...more })
  const diff = async (directory: string, base: string) =>
    (await diffAgainst({ directory, base, objectDirs: await repositories.objectDirectories(identity, directory) }))
      .files
  return {
    origin,
    identity,
    repositories,
    add,
    diff,
    store: at('objects', identity.slug),
    remove: (directory: string) => repositories.removeWorktree(identity, directory, at('tasks')),
    bundle: async (directory: string, base: string, file: string) =>
      await bundleSinceBase({
        directory,
        base,
        branch: 'work',
        file,
        objectDirs: await repositories.objectDirectories(identity, directory),
        gitDirectory: await repositories.work.gitDirectoryOf(identity, directory),
        remoteTips: await repositories.remoteTips(identity),
      }),
  }
}

describe('addClone', () => {
  it('creates a repository of its own that copies no history and has the branches and tags of the remote', async () => {
    const { add, origin, store } = await project()
    const { directory, baseCommit } = await add('t1')
    const git = (...args: string[]) => sh(directory, ...args)
    expect(await git('rev-parse', '--git-common-dir')).toBe('.git')
    expect(await git('count-objects', '-v')).toMatch(/^count: 0\n.*\nin-pack: 0\n/)
    expect(await readFile(path.join(directory, '.git/objects/info/alternates'), 'utf8')).toBe(`${store}\n`)
    expect(await git('status', '--porcelain', '--branch')).toBe('## switchyard/t1')
    expect(await git('log', '--format=%H')).toBe(baseCommit)
    expect(await git('branch', '--remotes', '--format=%(refname:short)')).toBe('origin/main\norigin/theirs')
    expect([await git('tag'), await git('remote', 'get-url', 'origin')]).toEqual(['v1', origin])
    await git('fsck', '--strict')
  })

  it('lets an agent commit, branch, rebase, stash and diff against the remote branch', async () => {
    const { add, diff } = await project()
    const { directory, baseCommit } = await add('t1')
    const git = (...args: string[]) => sh(directory, ...args)
    await commit(directory, 'one.txt')
    await git('checkout', '-qb', 'side', 'origin/main')
    await commit(directory, 'side.txt')
    await git('rebase', '-q', 'switchyard/t1')
    await writeFile(path.join(directory, 'a.txt'), 'changed\n')
    await git('stash', '-q')
    await git('stash', 'pop', '-q')
    expect(await git('diff', '--name-only', 'origin/main')).toBe('a.txt\none.txt\nside.txt')
    expect((await diff(directory, baseCommit)).map((file) => file.path)).toEqual(['a.txt', 'one.txt', 'side.txt'])
    await git('gc', '-q')
    await git('fsck', '--strict')
  })

  it('creates many clones of one repository at the same time', async () => {
    const { add } = await project()
    const added = await Promise.all(Array.from({ length: 12 }, (_, n) => add(`t${n}`)))
    for (const { directory } of added) expect(await sh(directory, 'status', '--porcelain')).toBe('')
  })

  it('shows what was pushed before the last fetch, and nothing of other clones', async () => {
    const { add, repositories, identity, origin } = await project()
    const first = await add('t1')
    await commit(first.directory, 'mine.txt')
    await sh(first.directory, 'tag', 'mine')
    await sh(first.directory, 'branch', 'mine')
    const pushed = await commit(origin, 'pushed.txt')
    await repositories.fetch(identity)
    const second = await add('t2')
    expect(second.baseCommit).toBe(pushed)
    const refs = await sh(second.directory, 'for-each-ref', '--format=%(refname)')
    expect(refs.split('\n')).toEqual([
      'refs/heads/switchyard/t2',
      'refs/remotes/origin/main',
      'refs/remotes/origin/theirs',
      'refs/tags/v1',
    ])
    await expect(
      sh(second.directory, 'cat-file', '-e', `${await sh(first.directory, 'rev-parse', 'HEAD')}`),
    ).rejects.toThrow()
  })

  it('starts at a branch, a tag or a commit, in a shallow repository too', async () => {
    const { add, origin } = await project()
    const head = await sh(origin, 'rev-parse', 'HEAD')
    for (const [n, base] of ['theirs', 'v1', head].entries())
      expect((await add(`t${n}`, { base })).baseCommit).toBe(head)
    await commit(origin, 'more.txt')
    await sh(at(), 'clone', '-q', '--depth', '1', `file://${origin}`, at('shallow'))
    const identity = parseRepositoryUrl(at('shallow'))
    const repositories = createRepositories(at)
    await repositories.fetch(identity)
    const { directory } = await repositories.addClone(identity, { directory: at('tasks', 'shallow'), branch: 'b' })
    expect(await sh(directory, 'log', '--format=%s')).toBe('add more.txt')
  })

  it('starts at a commit that the remote has dropped since', async () => {
    const { add, repositories, identity, origin, store } = await project()
    await sh(origin, 'checkout', '-qb', 'dropped')
    const dropped = await commit(origin, 'dropped.txt')
    await repositories.fetch(identity)
    await sh(origin, 'checkout', '-q', 'main')
    await sh(origin, 'branch', '-qD', 'dropped')
    await rm(store, { recursive: true })
    await repositories.fetch(identity)
    const { directory } = await add('t1', { base: dropped })
    expect(await sh(directory, 'log', '-1', '--format=%s')).toBe('add dropped.txt')
    await sh(directory, 'fsck', '--strict')
  })
})

describe('addClone for an existing clone', () => {
  it('returns it with the work in it, also to concurrent callers', async () => {
    const { add } = await project()
    const added = await Promise.all(Array.from({ length: 6 }, () => add('t1')))
    expect(new Set(added.map((one) => JSON.stringify(one))).size).toBe(1)
    const first = await add('t1')
    await commit(first.directory, 'done.txt')
    await sh(first.directory, 'checkout', '-q', '--detach')
    expect(await add('t1')).toEqual(first)
    expect(await exists(path.join(first.directory, 'done.txt'))).toBe(true)
  })

  it('restores a deleted .git as it was created', async () => {
    const { add } = await project()
    const first = await add('t1')
    await writeFile(path.join(first.directory, 'work.txt'), 'work\n')
    await rm(path.join(first.directory, '.git'), { recursive: true })
    expect(await add('t1')).toEqual(first)
    expect(await sh(first.directory, 'status', '--porcelain')).toBe('?? work.txt')
  })

  it('lets the files be published after the agent deleted .git', async () => {
    const { add, repositories, identity, origin } = await project()
    const { directory, baseCommit } = await add('t1')
    await writeFile(path.join(directory, 'work.txt'), 'work\n')
    await rm(path.join(directory, '.git'), { recursive: true })
    expect(await repositories.work.state(identity, directory)).toMatchObject({ head: baseCommit, dirty: 1 })
    await repositories.work.publish(identity, { directory, branch: 'published' })
    expect(await sh(origin, 'diff', '--name-only', baseCommit, 'published')).toBe('work.txt')
  })

  it('completes a clone that a crash left unfinished', async () => {
    const { add, identity } = await project()
    const first = await add('t1')
    const [name = ''] = await readdir(at('mirrors', `${identity.slug}.worktrees`))
    const file = at('mirrors', `${identity.slug}.worktrees`, name)
    const record: unknown = JSON.parse(await readFile(file, 'utf8'))
    await writeFile(file, JSON.stringify({ ...(record as object), isReady: false }))
    await rm(first.directory, { recursive: true })
    expect(await add('t1')).toEqual(first)
    expect(await sh(first.directory, 'status', '--porcelain', '--branch')).toBe('## switchyard/t1')
  })
})

describe('a worktree of the shared clone that an earlier version created for a task', () => {
  it('stays a worktree with its work, and is read, saved and removed as one', async () => {
    const { add, diff, remove, repositories, identity, bundle, origin } = await project()
    const old = { directory: at('tasks', 'old'), branch: 'switchyard/old' }
    const first = await repositories.addWorktree(identity, old)
    await commit(old.directory, 'done.txt')
    expect(await add('old')).toEqual(first)
    await rm(path.join(old.directory, '.git'))
    await repositories.restore(identity, old.directory)
    expect(await sh(old.directory, 'status', '--porcelain', '--branch')).toBe('## switchyard/old')
    expect(await diff(old.directory, first.baseCommit)).toMatchObject([{ path: 'done.txt' }])
    expect(await bundle(old.directory, first.baseCommit, at('old.bundle'))).toBe(true)
    await repositories.work.publish(identity, { directory: old.directory, branch: 'published' })
    expect(await sh(origin, 'show', 'published:done.txt')).toBe('done.txt')
    const tip = await sh(old.directory, 'rev-parse', 'HEAD')
    await remove(old.directory)
    expect((await add('next', { branch: 'switchyard/old', reuse: true })).baseCommit).toBe(tip)
  })

  it('does not stop new tasks when its shared clone is damaged', async () => {
    const { add, repositories, identity } = await project()
    await repositories.addWorktree(identity, { directory: at('tasks', 'old'), branch: 'switchyard/old' })
    const gitDir = path.join(repositories.sharedDirectory(identity), '.git')
    await writeFile(path.join(gitDir, 'objects', 'info', 'alternates'), '/nowhere\n')
    await repositories.fetch(identity)
    await add('t1')
    await rename(path.join(gitDir, 'refs'), at('moved'))
    await symlink(at('moved'), path.join(gitDir, 'refs'))
    await repositories.fetch(identity)
    await add('t2')
  })
})

describe('the branch of a removed clone', () => {
  it('is continued by a later task, worktree or standalone clone, and not before the clone is removed', async () => {
    const { add, remove, repositories, identity } = await project()
    const first = await add('t1', { branch: 'feature/x' })
    const done = await commit(first.directory, 'done.txt')
    await expect(add('t2', { branch: 'feature/x', reuse: true })).rejects.toMatchObject({ code: 'branch_in_use' })
    await expect(add('t2', { branch: 'feature' })).rejects.toMatchObject({ code: 'branch_in_use' })
    await remove(first.directory)
    await expect(add('t2', { branch: 'feature/x' })).rejects.toMatchObject({ code: 'branch_in_use' })
    const standalone = { directory: at('docker'), branch: 'feature/x', reuse: true }
    expect((await repositories.createStandaloneClone(identity, standalone)).baseCommit).toBe(done)
    const second = await add('t2', { branch: 'feature/x', reuse: true })
    expect(second.baseCommit).toBe(done)
    const more = await commit(second.directory, 'more.txt')
    await sh(second.directory, 'fsck', '--strict')
    await remove(second.directory)
    const box = { directory: at('boxes', 'x'), branch: 'feature/x', reuse: true }
    expect((await repositories.addWorktree(identity, box)).baseCommit).toBe(more)
    const last = await commit(box.directory, 'last.txt')
    await repositories.removeWorktree(identity, box.directory, at('boxes'))
    expect((await add('t3', { branch: 'feature/x', reuse: true })).baseCommit).toBe(last)
  })

  it('counts as lost with the clones, and is saved in the bundle', async () => {
    const { add, remove, repositories, identity, origin } = await project()
    const { directory } = await add('t1')
    await commit(directory, 'done.txt')
    expect(await repositories.work.describeCloneLoss(identity, [])).toBeNull()
    await remove(directory)
    expect(await repositories.work.describeCloneLoss(identity, [])).toBe('1 unpushed commit on switchyard/t1')
    await repositories.work.bundleClone(identity, at('clone.bundle'), { isThin: true })
    await sh(origin, 'fetch', '-q', at('clone.bundle'), 'refs/heads/switchyard/t1')
    expect(await sh(origin, 'show', 'FETCH_HEAD:done.txt')).toBe('done.txt')
    expect(await repositories.removeClones(identity)).toBe(true)
    expect([...(await readdir(at('mirrors'))), ...(await readdir(at('objects')))]).toEqual([])
  })

  it('is not stored when the remote has its commits', async () => {
    const { add, remove, repositories, identity } = await project()
    const { directory } = await add('t1', { branch: 'mine' })
    await commit(directory, 'done.txt')
    await repositories.work.publish(identity, { directory, branch: 'published' })
    await remove(directory)
    expect(await repositories.work.describeCloneLoss(identity, [])).toBeNull()
    expect(await sh(at('mirrors', `${identity.slug}.git`), 'for-each-ref', 'refs/switchyard/branches')).toBe('')
  })
})

describe('bundleSinceBase of a clone', () => {
  it('saves other branches, tags and stashes, and not the branches of the remote', async () => {
    const { add, bundle, origin } = await project()
    const { directory, baseCommit } = await add('t1', { branch: 'work' })
    await sh(directory, 'checkout', '-q', 'theirs')
    await sh(directory, 'checkout', '-q', 'work')
    expect(await bundle(directory, baseCommit, at('t1.bundle'))).toBe(false)
    await commit(directory, 'left.txt')
    await sh(directory, 'checkout', '-qb', 'other', 'origin/main')
    await commit(directory, 'other.txt')
    await sh(directory, 'checkout', '-qb', 'head', 'origin/main')
    await writeFile(path.join(directory, 'a.txt'), 'stashed\n')
    await sh(directory, 'stash', '-q')
    await writeFile(path.join(directory, 'new.txt'), 'new\n')
    expect(await bundle(directory, baseCommit, at('t1.bundle'))).toBe(true)
    await sh(origin, 'fetch', '-q', at('t1.bundle'), '+refs/*:refs/saved/*')
    const show = (name: string) => sh(origin, 'show', `refs/saved/${name}`)
    expect(await show('heads/work:new.txt')).toBe('new')
    expect(await show('heads/other:other.txt')).toBe('other.txt')
    expect(await show('switchyard/left-branch:left.txt')).toBe('left.txt')
    expect(await show('switchyard/stash/0:a.txt')).toBe('stashed')
  })
})

/** What an agent can write to the repository of its task. `evil` leaves a trace when it runs. */
const attacks: Readonly<Record<string, (gitDir: string, evil: string) => Promise<void>>> = {
  hooks: async (gitDir, evil) => {
    await mkdir(path.join(gitDir, 'hooks'), { recursive: true })
    for (const hook of ['post-checkout', 'pre-commit', 'reference-transaction', 'post-index-change', 'pre-push'])
      await cp(evil, path.join(gitDir, 'hooks', hook))
  },
  'filters, drivers and a file system monitor in its config': async (gitDir, evil) => {
    const drivers = `[filter "x"]\n\tclean = ${evil}\n\tsmudge = ${evil}\n[diff "x"]\n\ttextconv = ${evil}\n\tcommand = ${evil}\n`
    const core = `[core]\n\tfsmonitor = ${evil}\n\thooksPath = ${path.dirname(evil)}\n\tsshCommand = ${evil}\n\talternateRefsCommand = ${evil}\n`
    const remote = `[remote "origin"]\n\tuploadpack = ${evil}\n\treceivepack = ${evil}\n[uploadpack]\n\tpackObjectsHook = ${evil}\n`
    await writeFile(path.join(gitDir, 'included'), drivers)
    await appendFile(path.join(gitDir, 'config'), `${drivers}${core}${remote}[include]\n\tpath = included\n`)
    await mkdir(path.join(gitDir, 'info'), { recursive: true })
    await writeFile(path.join(gitDir, 'info', 'attributes'), '* filter=x diff=x merge=x\n')
  },
  'a submodule whose configuration runs a command': async (gitDir, evil) => {
    const submodule = path.join(path.dirname(gitDir), 'sub')
    await commitAll(submodule, { 's.txt': 's\n' })
    await appendFile(path.join(submodule, '.git', 'config'), `[core]\n\tfsmonitor = ${evil}\n`)
    await sh(path.dirname(gitDir), '-c', 'core.fsmonitor=false', 'add', 'sub').catch(() => undefined)
    await appendFile(path.join(gitDir, 'config'), `[submodule "sub"]\n\turl = ext::${evil}\n\tupdate = !${evil}\n`)
    await writeFile(path.join(path.dirname(gitDir), '.gitmodules'), '[submodule "sub"]\n\tpath = sub\n\turl = ./sub\n')
  },
  'refs that name commits which do not exist, and text that is no commit': async (gitDir) => {
    await writeFile(path.join(gitDir, 'refs', 'heads', 'broken'), `${'1'.repeat(40)}\n`)
    await writeFile(path.join(gitDir, 'refs', 'heads', 'text'), 'ref: ../../../../etc/passwd\n')
    await appendFile(path.join(gitDir, 'packed-refs'), `${'2'.repeat(40)} refs/heads/switchyard/t2\n`)
  },
  'alternates that lead nowhere': async (gitDir) => {
    await writeFile(path.join(gitDir, 'objects', 'info', 'alternates'), '/nowhere\n/proc/self/root\n')
  },
  'a commondir file': async (gitDir) => {
    await writeFile(path.join(gitDir, 'commondir'), '../../t2/.git\n')
  },
  'an index that is no index': async (gitDir) => {
    await writeFile(path.join(gitDir, 'index'), 'DIRC poisoned')
  },
  'a commit graph that is no commit graph': async (gitDir) => {
    await writeFile(path.join(gitDir, 'objects', 'info', 'commit-graph'), 'CGPH poisoned')
  },
  'a link in the place of its objects': async (gitDir) => {
    await rename(path.join(gitDir, 'objects'), path.join(gitDir, 'moved'))
    await symlink(path.join(gitDir, 'moved'), path.join(gitDir, 'objects'))
  },
  'nothing of its repository left': async (gitDir) => {
    await rm(gitDir, { recursive: true })
  },
}

describe('an agent that changes the repository of its task', () => {
  it.each(Object.keys(attacks))("is met neither by the next task nor by the worker's git: %s", async (name) => {
    const { add, diff, remove, repositories, identity, origin, bundle, store } = await project()
    const { file: evil, hasRun } = await createEvil(at)
    await chmod(evil, 0o755)
    const first = await add('t1')
    const storedBefore = (await readdir(store, { recursive: true })).toSorted()
    await commit(first.directory, 'committed.txt').catch(() => undefined)
    await writeFile(path.join(first.directory, 'mine.txt'), 'mine\n')
    await attacks[name]?.(path.join(first.directory, '.git'), evil)
    await rm(at('ran'), { force: true })

    const second = await add('t2')
    expect(await sh(second.directory, 'status', '--porcelain', '--branch')).toBe('## switchyard/t2')
    await commit(second.directory, 'second.x')
    await sh(second.directory, 'checkout', '-qb', 'other')
    expect(await sh(second.directory, 'config', '--get-regexp', 'filter|fsmonitor|hook').catch(() => '')).toBe('')

    expect((await diff(first.directory, first.baseCommit)).map((file) => file.path)).toContain('mine.txt')
    await repositories.checkedOut(identity, first.directory).catch(() => undefined)
    await repositories.work.state(identity, first.directory).catch(() => undefined)
    await repositories.work.isPublished(identity, first.directory).catch(() => undefined)
    await repositories.work
      .publish(identity, { directory: first.directory, branch: 'published' })
      .catch(() => undefined)
    await bundle(first.directory, first.baseCommit, at('t1.bundle')).catch(() => undefined)

    await commit(origin, 'pushed.txt')
    await repositories.fetch(identity)
    expect((await add('t3')).baseCommit).toBe(await sh(origin, 'rev-parse', 'HEAD'))
    await remove(first.directory)
    expect(await hasRun()).toBe(false)
    expect(existsSync(first.directory)).toBe(false)
    expect((await readdir(store, { recursive: true })).toSorted()).toEqual(expect.arrayContaining(storedBefore))
  })

  it('cannot reach the repository of another task or the branches of the project with git', async () => {
    const { add, repositories, identity } = await project()
    const box = await repositories.addWorktree(identity, { directory: at('boxes', 'box'), branch: 'box' })
    const [one, two] = [await add('t1'), await add('t2')]
    await sh(one.directory, 'update-ref', '-d', 'refs/remotes/origin/main')
    await sh(one.directory, 'branch', '-f', 'box', 'HEAD')
    await sh(one.directory, 'worktree', 'prune', '--expire=now')
    await sh(one.directory, 'config', 'user.name', 'Mallory')
    await sh(one.directory, 'gc', '-q', '--prune=now')
    expect(await sh(one.directory, 'worktree', 'list', '--porcelain')).not.toContain(two.directory)
    for (const directory of [two.directory, box.directory]) {
      expect(await sh(directory, 'rev-parse', 'origin/main')).toBe(one.baseCommit)
      expect(await sh(directory, 'config', '--get', 'user.name')).toBe('T')
      expect(await sh(directory, 'status', '--porcelain')).toBe('')
    }
  })
})

describe('an object store that somebody changed', () => {
  const damage: Readonly<Record<string, (store: string) => Promise<void>>> = {
    'alternates added': async (store) => await writeFile(path.join(store, 'info', 'alternates'), '/nowhere\n'),
    'a pack deleted': async (store) => await rm(path.join(store, 'pack'), { recursive: true }),
    'a pack overwritten': async (store) => {
      for (const name of await readdir(path.join(store, 'pack'))) {
        await chmod(path.join(store, 'pack', name), 0o644)
        await writeFile(path.join(store, 'pack', name), 'poison')
      }
    },
    'a link in its place': async (store) => {
      await rename(store, `${store}-moved`)
      await symlink(`${store}-moved`, store)
    },
    'deleted as a whole': async (store) => await rm(store, { recursive: true }),
  }

  it.each(Object.keys(damage))(
    'is replaced at the next fetch, with the commits that clones started from: %s',
    async (name) => {
      const { add, repositories, identity, origin, store } = await project()
      await sh(origin, 'checkout', '-qb', 'dropped')
      await commit(origin, 'dropped.txt')
      await repositories.fetch(identity)
      const first = await add('t1', { base: 'dropped' })
      await sh(origin, 'checkout', '-q', 'main')
      await sh(origin, 'branch', '-qD', 'dropped')
      await damage[name]?.(store)
      await repositories.fetch(identity)
      await sh(first.directory, 'fsck', '--strict')
      await sh((await add('t2')).directory, 'fsck', '--strict')
      expect(existsSync(path.join(store, 'info', 'alternates'))).toBe(false)
    },
  )
})
