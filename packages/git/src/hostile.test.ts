// What an agent could try against the worker. Every attack was seen to work on a git without the protection.

import { execFile } from 'node:child_process'
import {
  appendFile,
  chmod,
  chown,
  cp,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  symlink,
  truncate,
  utimes,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createLock, sh } from './git.fixture.ts'
import { bundleSinceBase, createScratch, diffAgainst, parseRepositoryUrl, Repositories } from './index.ts'

const run = promisify(execFile)

let root: string
const at = (...names: string[]) => path.join(root, ...names)
const isThere = async (place: string) => (await lstat(place).catch(() => undefined)) !== undefined
const commitAll = async (directory: string, files: Readonly<Record<string, string>>) => {
  await mkdir(directory, { recursive: true })
  if (!(await isThere(path.join(directory, '.git')))) await sh(directory, 'init', '-q', '-b', 'main')
  for (const [file, text] of Object.entries(files)) await writeFile(path.join(directory, file), text)
  await sh(directory, 'add', '-A')
  await sh(directory, 'commit', '-qm', 'a change')
  return directory
}

const lock = createLock()

/** A project with one worktree in which an agent is at work. */
const project = async (source?: string) => {
  const identity = parseRepositoryUrl(source ?? (await commitAll(at('origin'), { 'a.txt': 'one\n' })))
  const all = new Repositories({ mirrorsDir: at('mirrors'), sharedDir: at('repos'), lock })
  await all.fetch(identity)
  const first = await all.addWorktree(identity, { directory: at('tasks', 't1'), branch: 'b1' })
  const shared = path.join(all.sharedDirectory(identity), '.git')
  const add = (name: string, branch: string, more: object = {}) =>
    all.addWorktree(identity, { directory: at('tasks', name), branch, ...more })
  return { identity, all, first, shared, add, objectDirs: [all.objectDirectory(identity)] }
}

type Made = Awaited<ReturnType<typeof project>>

const ran = () => isThere(at('ran'))

beforeEach(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'switchyard-hostile-'))
  await writeFile(at('evil'), `#!/bin/sh\ntouch ${at('ran')}\ncat\n`)
  await chmod(at('evil'), 0o755)
})

afterEach(async () => {
  await rm(root, { recursive: true, force: true })
})

describe('a command in the shared clone', () => {
  const filter = (name: string) => `[filter "${name}"]\n\tsmudge = ${at('evil')}\n\tclean = ${at('evil')}\n`
  const attacks: Readonly<Record<string, (shared: string) => Promise<void>>> = {
    'in its configuration': async (shared) => await appendFile(path.join(shared, 'config'), filter('x')),
    'under a name with = in it': async (shared) => {
      await appendFile(path.join(shared, 'config'), filter('x=y'))
      await writeFile(path.join(shared, 'info', 'attributes'), '* filter=x=y\n')
    },
    'included for linked worktrees alone': async (shared) => {
      await writeFile(at('included'), filter('x'))
      await appendFile(
        path.join(shared, 'config'),
        `[includeIf "gitdir:**/worktrees/**"]\n\tpath = ${at('included')}\n`,
      )
    },
    'included for one branch alone': async (shared) => {
      await writeFile(at('included'), filter('x'))
      await appendFile(path.join(shared, 'config'), `[includeIf "onbranch:b2"]\n\tpath = ${at('included')}\n`)
    },
    'in the configuration of a worktree': async (shared) => {
      await appendFile(path.join(shared, 'config'), '[extensions]\n\tworktreeConfig = true\n')
      await writeFile(path.join(shared, 'config.worktree'), filter('x'))
    },
    'in a hook, or told of changes': async (shared) => {
      await mkdir(path.join(shared, 'hooks'), { recursive: true })
      for (const hook of ['post-checkout', 'reference-transaction', 'post-index-change'])
        await cp(at('evil'), path.join(shared, 'hooks', hook))
      await appendFile(path.join(shared, 'config'), `[core]\n\tfsmonitor = ${at('evil')}\n`)
    },
  }
  it.each(Object.keys(attacks))('%s is not run', async (name) => {
    const { identity, all, first, shared, add, objectDirs } = await project()
    await mkdir(path.join(shared, 'info'), { recursive: true })
    await writeFile(path.join(shared, 'info', 'attributes'), '* filter=x\n')
    await attacks[name]?.(shared)
    await add('t2', 'b2')
    await commitAll(at('origin'), { 'c.txt': 'three\n' })
    await all.fetch(identity)
    await diffAgainst({ directory: first.directory, base: first.baseCommit, objectDirs })
    await all.removeWorktree(identity, at('tasks', 't2'), at('tasks'))
    expect(await ran()).toBe(false)
  })
})

describe('a repository inside of a working directory', () => {
  const bare = async () => {
    const inner = await commitAll(at('inner'), { f: '1' })
    const source = await commitAll(at('origin'), { 'a.txt': 'one\n' })
    const commit = await sh(inner, 'rev-parse', 'HEAD')
    await sh(source, 'update-index', '--add', '--cacheinfo', `160000,${commit},sub`)
    await sh(source, 'commit', '-qm', 'with a submodule')
    return { inner, made: await project(source) }
  }

  it('is not asked for its state where a submodule would be', async () => {
    const { inner, made } = await bare()
    const sub = path.join(made.first.directory, 'sub')
    await rm(sub, { recursive: true, force: true })
    await cp(inner, sub, { recursive: true })
    await mkdir(path.join(sub, '.git', 'info'), { recursive: true })
    await appendFile(path.join(sub, '.git', 'config'), `[filter "x"]\n\tclean = ${at('evil')}\n`)
    await writeFile(path.join(sub, '.git', 'info', 'attributes'), '* filter=x\n')
    await writeFile(path.join(sub, 'f'), '2')
    const { directory, baseCommit: base } = made.first
    await diffAgainst({ directory, base, objectDirs: made.objectDirs })
    await writeFile(path.join(directory, 'new'), 'new\n')
    const file = at('bundles', 'b')
    expect(await bundleSinceBase({ directory, base, objectDirs: made.objectDirs, file, branch: 'b' })).toBe(true)
    expect(await ran()).toBe(false)
  })

  it('shows its files, with or without a commit of its own', async () => {
    const { directory, baseCommit } = await createScratch(at('s'))
    await commitAll(at('s', 'one'), { f: '1\n' })
    await mkdir(at('s', 'two'))
    await sh(at('s', 'two'), 'init', '-q')
    await writeFile(at('s', 'two', 'g'), '2\n')
    await writeFile(at('s', 'top'), '3\n')
    const diff = await diffAgainst({ directory, base: baseCommit, objectDirs: [at('s', '.git', 'objects')] })
    expect(diff.files.map((file) => [file.path, file.additions])).toEqual([
      ['one/f', 1],
      ['top', 1],
      ['two/g', 1],
    ])
  })
})

describe('a working directory', () => {
  it('that has become a link shows nothing of where the link leads', async () => {
    const { baseCommit } = await createScratch(at('s'))
    await mkdir(at('secrets'))
    await writeFile(at('secrets', 'services.env'), 'PASSWORD=hunter2\n')
    await rename(at('s'), at('moved'))
    await symlink(at('secrets'), at('s'))
    const gone = { code: 'workspace_gone' }
    await expect(
      diffAgainst({ directory: at('s'), base: baseCommit, objectDirs: [at('moved', '.git', 'objects')] }),
    ).rejects.toMatchObject(gone)
  })

  it('whose repository its agent made anew is compared, and bundled, all the same', async () => {
    const { directory, baseCommit: base } = await createScratch(at('s'))
    await rm(at('s', '.git'), { recursive: true })
    await commitAll(at('s'), { 'a.txt': 'one\n' })
    await writeFile(at('s', 'b.txt'), 'two\n')
    const objectDirs = [at('s', '.git', 'objects')]
    const { files } = await diffAgainst({ directory, base, objectDirs })
    expect(files.map((file) => file.path)).toEqual(['a.txt', 'b.txt'])
    expect(await bundleSinceBase({ directory, base, objectDirs, file: at('saved'), branch: 'b' })).toBe(true)
    await run('git', ['clone', '-q', '-b', 'b', at('saved'), at('unpacked')])
    expect((await readdir(at('unpacked'))).toSorted()).toEqual(['.git', 'a.txt', 'b.txt'])
  })

  it('with pipes for a repository does not hold a bundle up', async () => {
    const { first, objectDirs } = await project()
    await rm(path.join(first.directory, '.git'))
    await run('mkfifo', [path.join(first.directory, '.git')])
    await writeFile(path.join(first.directory, 'b.txt'), 'two\n')
    const { directory, baseCommit: base } = first
    expect(await bundleSinceBase({ directory, base, objectDirs, file: at('saved'), branch: 'b' })).toBe(true)
  })

  it('with huge files is compared without reading or copying them', async () => {
    const source = await commitAll(at('origin'), { 'grows.bin': 'x\n', 'a.txt': 'one\n' })
    const { first, objectDirs } = await project(source)
    for (const name of ['grows.bin', 'new.bin']) {
      await writeFile(path.join(first.directory, name), '')
      await truncate(path.join(first.directory, name), name === 'new.bin' ? 2 ** 36 : 2 ** 28)
    }
    await writeFile(path.join(first.directory, '.gitattributes'), '*.bin diff\n')
    await writeFile(path.join(first.directory, 'a.txt'), 'two\n')
    const diff = await diffAgainst({ directory: first.directory, base: first.baseCommit, objectDirs })
    expect(diff.files.map((file) => [file.path, file.status, file.binary])).toEqual([
      ['.gitattributes', 'added', false],
      ['a.txt', 'modified', false],
      ['grows.bin', 'modified', true],
      ['new.bin', 'added', true],
    ])
    expect(diff.truncated).toBe(true)
    expect(diff.diff.length).toBeLessThan(10_000)
  })

  it('cannot hide a change by calling it binary, nor make a pipe hold us up', async () => {
    const source = await commitAll(at('origin'), { 'a.txt': 'one\n', 'b.txt': 'two\n' })
    const { first, objectDirs } = await project(source)
    await writeFile(path.join(first.directory, '.gitattributes'), '* -diff\n')
    await writeFile(path.join(first.directory, 'a.txt'), 'changed\n')
    await rm(path.join(first.directory, 'b.txt'))
    await run('mkfifo', [path.join(first.directory, 'b.txt')])
    const diff = await diffAgainst({ directory: first.directory, base: first.baseCommit, objectDirs })
    expect(diff.diff).toContain('+changed')
  })
})

describe('a worktree asked for again', () => {
  it.each([
    ['switched to another branch', ['checkout', '-qb', 'other']],
    ['left its branch', ['checkout', '-q', '--detach']],
    ['locked it', ['worktree', 'lock', '.']],
  ])('keeps its work after the agent %s', async (_, args) => {
    const { first, add } = await project()
    await writeFile(path.join(first.directory, 'precious'), 'work')
    await sh(first.directory, ...args)
    expect(await add('t1', 'b1')).toEqual(first)
    expect(await isThere(path.join(first.directory, 'precious'))).toBe(true)
  })

  it('has the commit that it began from, whatever was pushed since', async () => {
    const { identity, all, first, add } = await project()
    await commitAll(at('origin'), { 'b.txt': 'two\n' })
    await all.fetch(identity)
    expect(await add('t1', 'b1')).toEqual(first)
  })

  it('is linked again after the agent deleted what makes it one', async () => {
    const { first, shared, add } = await project()
    await rm(path.join(first.directory, '.git'))
    await rm(path.join(shared, 'worktrees'), { recursive: true })
    expect(await add('t1', 'b1')).toEqual(first)
    expect(await sh(first.directory, 'status', '--porcelain', '--branch')).toBe('## b1')
  })

  it('is made again at its branch’s tip after its directory was deleted', async () => {
    const { first, add } = await project()
    await commitAll(first.directory, { 'done.txt': 'done\n' })
    await rm(first.directory, { recursive: true })
    expect(await add('t1', 'b1')).toEqual(first)
    expect(await isThere(path.join(first.directory, 'done.txt'))).toBe(true)
  })

  it('by many at once is one', async () => {
    const { add } = await project()
    for (let round = 0; round < 5; round += 1) {
      const name = `same-${round}`
      const all = await Promise.all(Array.from({ length: 8 }, () => add(name, name)))
      expect(new Set(all.map((one) => JSON.stringify(one))).size).toBe(1)
      expect(await sh(at('tasks', name), 'status', '--porcelain', '--branch')).toBe(`## ${name}`)
    }
    expect((await readdir(at('tasks'))).filter((name) => name.includes('.new-'))).toEqual([])
  })

  it('on one branch in many directories at once is made in one of them', async () => {
    const { add } = await project()
    const tries = await Promise.allSettled(Array.from({ length: 8 }, (_, n) => add(`dir-${n}`, 'one-branch')))
    const refused = tries.filter((one) => one.status === 'rejected')
    expect(refused).toHaveLength(7)
    for (const one of refused) expect(one.reason).toMatchObject({ code: 'branch_in_use' })
  })
})

describe('a new worktree', () => {
  it('never takes the place of a directory that was not made here', async () => {
    const { add } = await project()
    await mkdir(at('tasks', 'mine'))
    await writeFile(at('tasks', 'mine', 'precious'), 'x')
    await expect(add('mine', 'b2')).rejects.toMatchObject({ code: 'directory_unwritable' })
    expect(await isThere(at('tasks', 'mine', 'precious'))).toBe(true)
  })

  it('continues a branch only when asked to, and one worktree alone has it', async () => {
    const { identity, all, first, add } = await project()
    await sh(at('origin'), 'branch', 'theirs')
    await all.fetch(identity)
    await expect(add('t2', 'theirs')).rejects.toMatchObject({ code: 'branch_in_use' })
    const tries = await Promise.allSettled([add('t2', 'theirs', { reuse: true }), add('t3', 'theirs', { reuse: true })])
    expect(tries.map((one) => one.status).toSorted()).toEqual(['fulfilled', 'rejected'])
    await commitAll(first.directory, { 'done.txt': 'done\n' })
    await all.removeWorktree(identity, first.directory, at('tasks'))
    await expect(add('t4', 'b1')).rejects.toMatchObject({ code: 'branch_in_use' })
    const again = await add('t4', 'b1', { reuse: true })
    expect(await isThere(path.join(again.directory, 'done.txt'))).toBe(true)
    expect(again.baseCommit).toBe(await sh(again.directory, 'rev-parse', 'HEAD'))
  })

  it('has the files of the mirror, not what an agent put under their names', async () => {
    const { shared, add } = await project()
    const blob = await sh(at('origin'), 'rev-parse', 'HEAD:a.txt')
    await rm(path.join(shared, 'objects'), { recursive: true })
    await cp(path.join(at('origin'), '.git', 'objects'), path.join(shared, 'objects'), { recursive: true })
    const file = path.join(shared, 'objects', blob.slice(0, 2), blob.slice(2))
    await chmod(file, 0o644)
    const other = await sh(at('origin'), 'hash-object', '-w', at('evil'))
    await cp(path.join(at('origin'), '.git', 'objects', other.slice(0, 2), other.slice(2)), file, { force: true })
    const { directory } = await add('t2', 'b2')
    expect(await readFile(path.join(directory, 'a.txt'), 'utf8')).toBe('one\n')
  })

  it.each(['refs', 'objects', 'worktrees'])('is refused where %s of the clone leads elsewhere', async (name) => {
    const { shared, add } = await project()
    await rename(path.join(shared, name), at('elsewhere'))
    await symlink(at('elsewhere'), path.join(shared, name))
    await expect(add('t2', 'b2')).rejects.toMatchObject({ code: 'repository_unavailable', retryable: false })
  })
})

describe('removal', () => {
  it('is refused for what an agent calls a worktree, and leaves alone what a link points to', async () => {
    const { identity, all, first, shared } = await project()
    await mkdir(at('tasks', 'forged'))
    await writeFile(at('tasks', 'forged', '.git'), `gitdir: ${shared}/worktrees/forged\n`)
    await mkdir(path.join(shared, 'worktrees', 'forged'))
    await writeFile(path.join(shared, 'worktrees', 'forged', 'gitdir'), `${at('tasks', 'forged', '.git')}\n`)
    await expect(all.removeWorktree(identity, at('tasks', 'forged'), at('tasks'))).rejects.toMatchObject({
      code: 'path_outside_workspace',
    })
    await mkdir(at('elsewhere'))
    await writeFile(at('elsewhere', 'precious'), 'x')
    await rm(first.directory, { recursive: true })
    await symlink(at('elsewhere'), first.directory)
    await all.removeWorktree(identity, first.directory, at('tasks'))
    expect(await isThere(at('elsewhere', 'precious'))).toBe(true)
    expect(await isThere(first.directory)).toBe(false)
    expect(await sh(path.dirname(shared), 'branch', '--list', 'b1')).toContain('b1')
    await all.removeWorktree(identity, first.directory, at('tasks'))
  })
})

describe('a name that looks like something half made', () => {
  it('protects no rubbish, and costs nobody’s work, when another worktree is made or removed', async () => {
    const { identity, all, add } = await project()
    const other = parseRepositoryUrl(await commitAll(at('other'), { 'a.txt': 'one\n' }))
    await all.fetch(other)
    const odd = 'ui.new-0123abcd-1-0123abcd'
    await add('ui.new-nav', 'b2')
    await add(odd, 'b3')
    await all.addWorktree(other, { directory: at('tasks', 'ui.new-menu'), branch: 'b' })
    await all.addWorktree(other, { directory: at('tasks', 'ui.new-0123abcd-2-0123abcd'), branch: 'c' })
    await mkdir(at('tasks', 'ui.new-mine'))
    const names = (await readdir(at('tasks'))).toSorted()
    const longAgo = new Date(Date.now() - 86_400_000)
    const left = at('tasks', 'ui.new-0123abcd-3-0123abcd')
    await mkdir(left)
    for (const name of await readdir(at('tasks'))) await utimes(at('tasks', name), longAgo, longAgo)
    await add('ui', 'b4')
    expect((await readdir(at('tasks'))).toSorted()).toEqual([...names, 'ui'].toSorted())
    await mkdir(left)
    await all.removeWorktree(identity, at('tasks', 'ui'), at('tasks'))
    expect((await readdir(at('tasks'))).toSorted()).toEqual(names)
    expect(await isThere(at('tasks', odd, 'a.txt'))).toBe(true)
  })
})

describe('a fetch', () => {
  it('takes a shallow repository, and a checkout without a branch', async () => {
    const source = await commitAll(at('origin'), { 'a.txt': 'one\n' })
    await commitAll(source, { 'a.txt': 'two\n' })
    await run('git', ['clone', '-q', '--depth', '1', `file://${source}`, at('shallow')])
    const commit = await sh(at('shallow'), 'rev-parse', 'HEAD')
    await sh(at('shallow'), 'checkout', '-q', '--detach')
    const { first } = await project(at('shallow'))
    expect(first.baseCommit).toBe(commit)
  })

  it.skipIf(process.getuid?.() !== 0)('takes a repository of another user', async () => {
    const source = await commitAll(at('origin'), { 'a.txt': 'one\n' })
    for (const name of ['', ...(await readdir(source, { recursive: true }))])
      await chown(path.join(source, name), 65534, 65534)
    expect((await project(source)).first.branch).toBe('b1')
  })

  it('goes on after a git that was killed left its lock file', async () => {
    const { identity, all } = await project()
    await sh(at('origin'), 'branch', 'gone')
    await all.fetch(identity)
    await writeFile(at('mirrors', `${identity.slug}.git`, 'packed-refs.lock'), '')
    await sh(at('origin'), 'branch', '-D', 'gone')
    await all.fetch(identity)
    expect(await sh(all.sharedDirectory(identity), 'branch', '-r')).toBe('origin/main')
  })

  it('leaves the tags of agents alone', async () => {
    const { identity, all, first } = await project()
    await sh(first.directory, 'tag', 'mine')
    await all.fetch(identity)
    expect(await sh(first.directory, 'tag')).toBe('mine')
  })

  it.each([
    ['mirror', async ({ identity }: Made) => at('mirrors', `${identity.slug}.git`)],
    ['clone', async ({ all, identity }: Made) => all.sharedDirectory(identity)],
    ['working directory', async ({ first }: Made) => first.directory],
    [
      'working directory by a link',
      async ({ first }: Made) => {
        await symlink(first.directory, at('link'))
        return at('link')
      },
    ],
  ])('does not hand out another project’s %s', async (_, placeOf) => {
    const made = await project()
    const all = new Repositories({
      mirrorsDir: at('mirrors'),
      sharedDir: at('repos'),
      workspacesDir: at('tasks'),
      lock,
    })
    await expect(all.fetch(parseRepositoryUrl(await placeOf(made)))).rejects.toMatchObject({ code: 'invalid_project' })
  })

  it('is shared by those who ask before it begins, and made anew for those who ask later', async () => {
    const { identity, all } = await project()
    await Promise.all(
      Array.from({ length: 5 }, async (_, n) => {
        await commitAll(at('origin'), { 'n.txt': `${n}\n` }).catch(() => undefined)
        const pushed = await sh(at('origin'), 'rev-parse', 'HEAD')
        await all.fetch(identity)
        await sh(all.sharedDirectory(identity), 'cat-file', '-e', pushed)
      }),
    )
    expect(await sh(all.sharedDirectory(identity), 'rev-parse', 'origin/main')).toBe(
      await sh(at('origin'), 'rev-parse', 'HEAD'),
    )
  })

  it('ends with its caller’s reason, and harms no one else who waits', async () => {
    const { identity, all } = await project()
    const stop = new AbortController()
    const mine = all.fetch(identity, { signal: stop.signal })
    const theirs = all.fetch(identity)
    stop.abort(new Error('enough'))
    await expect(mine).rejects.toThrow('enough')
    await theirs
  })
})

describe('a path', () => {
  it.each(['https://h.example/a/%2e%2e/b', 'https://h.example/o/r%0aX', 'https://h.example/o%2fr/x', '/srv/a/../b'])(
    'is refused in %j',
    (url) => {
      expect(() => parseRepositoryUrl(url)).toThrow(expect.objectContaining({ code: 'invalid_project' }))
    },
  )

  it('with encoded characters is the same repository when it is read again', () => {
    const once = parseRepositoryUrl('https://h.example/o/a%20b')
    expect(once).toMatchObject({ key: 'h.example/o/a b', fetchUrl: 'https://h.example/o/a%20b' })
    expect(parseRepositoryUrl(once.displayUrl)).toEqual(once)
  })
})
