import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmod, lstat, mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { createRepositories, useTestDirectory } from '../git.fixture.ts'
import { parseRepositoryUrl } from '../identity/identity.ts'
import { bundleForeign, bundleHead } from './bundle-foreign.ts'
import { readForeign } from './read-foreign.ts'

const run = promisify(execFile)

const at = useTestDirectory()
const sh = async (directory: string, ...args: string[]) =>
  (await run('git', ['-c', 'user.name=T', '-c', 'user.email=t@t', ...args], { cwd: directory })).stdout.trimEnd()

const write = async (directory: string, files: Readonly<Record<string, string>>) => {
  for (const [file, text] of Object.entries(files)) {
    await mkdir(path.dirname(path.join(directory, file)), { recursive: true })
    await writeFile(path.join(directory, file), text)
  }
}

const commit = async (directory: string, files: Readonly<Record<string, string>>, message = 'a change') => {
  await write(directory, files)
  await sh(directory, 'add', '-A')
  await sh(directory, 'commit', '-qm', message)
  return await sh(directory, 'rev-parse', 'HEAD')
}

/** Creates a remote and a clone of it. */
const clone = async () => {
  await mkdir(at('remote'))
  await sh(at('remote'), 'init', '-q', '-b', 'main')
  await commit(at('remote'), { 'a.txt': 'one\n', 'b.txt': 'one\n', 'c/d.txt': 'one\n' })
  await sh(at(), 'clone', '-q', at('remote'), at('clone'))
  return at('clone')
}

/**
 * Creates a clone with unpushed commits on two branches, two stashes, changed, staged, deleted and untracked files, and a
 * linked worktree.
 */
const messyClone = async () => {
  const directory = await clone()
  await write(directory, { 'a.txt': 'first stash\n' })
  await sh(directory, 'stash', '-q')
  await write(directory, { 'a.txt': 'second stash\n' })
  await sh(directory, 'stash', '-q')
  await sh(directory, 'checkout', '-qb', 'other')
  await commit(directory, { 'other.txt': 'other\n' })
  await sh(directory, 'checkout', '-q', 'main')
  await commit(directory, { 'a.txt': 'two\n', '.gitignore': 'ignored\n' })
  await sh(directory, 'worktree', 'add', '-q', '-b', 'linked', at('linked'))
  await write(at('linked'), { 'in-linked.txt': 'new\n' })
  await write(directory, { 'a.txt': 'three\n', 'new file.txt': 'new\n', 'staged.txt': 'staged\n', ignored: 'x' })
  await sh(directory, 'add', 'staged.txt')
  await rm(path.join(directory, 'b.txt'))
  await chmod(path.join(directory, 'c/d.txt'), 0o755)
  await symlink('a.txt', path.join(directory, 'link'))
  return directory
}

/** Hashes the name, modification time, mode and content of every file below a directory. */
const fingerprint = async (directory: string): Promise<string> => {
  const hash = createHash('sha256')
  for (const entry of (await readdir(directory, { recursive: true, withFileTypes: true })).toSorted((a, b) =>
    `${a.parentPath}/${a.name}` < `${b.parentPath}/${b.name}` ? -1 : 1,
  )) {
    const file = path.join(entry.parentPath, entry.name)
    const { mtimeMs, mode } = await lstat(file)
    hash.update(`${file} ${mtimeMs} ${mode}\n`)
    if (entry.isFile()) hash.update(await readFile(file))
  }
  return hash.digest('hex')
}

const status = (directory: string) => sh(directory, 'status', '--porcelain', '--untracked-files=all')

describe('readForeign and bundleForeign', () => {
  it('report everything that would be lost, and write nothing to the checkout', async () => {
    const directory = await messyClone()
    const before = await fingerprint(directory)
    expect(await readForeign(directory)).toMatchObject({
      directory,
      remote: at('remote'),
      branch: 'main',
      head: await sh(directory, 'rev-parse', 'HEAD'),
      unpushed: 1,
      unpushedBranches: ['linked', 'other'],
      stashes: 2,
      changed: 6,
      worktrees: [{ name: 'linked', directory: at('linked') }],
      unfinished: null,
      damaged: [],
    })
    await bundleForeign(directory, { bundle: at('all.bundle'), patch: at('all.patch') })
    expect(await fingerprint(directory)).toBe(before)
  })

  it('run nothing that the checkout configures', async () => {
    const directory = await messyClone()
    await write(at(), { evil: `#!/bin/sh\ntouch ${at('ran')}\ncat\n` })
    await chmod(at('evil'), 0o755)
    for (const setting of ['core.fsmonitor', 'filter.evil.clean', 'diff.external', 'core.hooksPath', 'core.pager'])
      await sh(directory, 'config', setting, setting === 'core.hooksPath' ? at() : at('evil'))
    await write(directory, { '.gitattributes': '* filter=evil\n' })
    await readForeign(directory)
    await bundleForeign(directory, { bundle: at('all.bundle'), patch: at('all.patch') })
    expect(await readdir(at())).not.toContain('ran')
  })

  it('save every branch, every stash and uncommitted changes', async () => {
    const directory = await messyClone()
    const saved = await bundleForeign(directory, { bundle: at('all.bundle'), patch: at('all.patch') })
    expect(saved).toMatchObject({ isWritten: true, changed: 6 })
    await sh(at(), 'clone', '-q', '--mirror', at('all.bundle'), at('restored'))
    const show = (name: string) => sh(at('restored'), 'show', name)
    expect(await show('refs/heads/other:other.txt')).toBe('other')
    expect(await show('refs/switchyard/stash/0:a.txt')).toBe('second stash')
    expect(await show('refs/switchyard/stash/1:a.txt')).toBe('first stash')
    expect(await show('refs/switchyard/worktree:new file.txt')).toBe('new')
    expect(await readFile(at('all.patch'), 'utf8')).toContain('+three')
    await sh(directory, 'reset', '-q', '--hard')
    await sh(directory, 'clean', '-qfd')
    await sh(directory, 'apply', at('all.patch'))
    expect(await readFile(path.join(directory, 'a.txt'), 'utf8')).toBe('three\n')
  })

  it('accept a linked worktree, a detached HEAD, an unfinished merge, an empty and a shallow repository', async () => {
    const directory = await messyClone()
    expect(await readForeign(at('linked'))).toMatchObject({ branch: 'linked', changed: 1 })
    await sh(directory, 'checkout', '-qf', '--detach')
    expect(await readForeign(directory)).toMatchObject({ branch: null, unpushed: 1 })
    await sh(directory, 'checkout', '-qf', 'main')
    await commit(directory, { 'other.txt': 'mine\n' })
    await sh(directory, 'merge', 'other').catch(() => undefined)
    expect(await readForeign(directory)).toMatchObject({ unfinished: 'merge' })
    await mkdir(at('empty'))
    await sh(at('empty'), 'init', '-q')
    await write(at('empty'), { 'x.txt': 'x' })
    expect(await readForeign(at('empty'))).toMatchObject({ head: null, changed: 1, remote: null })
    expect(await bundleHead(at('empty'), at('none'), { isThin: false })).toBeNull()
    await commit(at('remote'), { 'a.txt': 'newer\n' })
    await sh(at(), 'clone', '-q', '--depth=1', `file://${at('remote')}`, at('shallow'))
    expect(await readForeign(at('shallow'))).toMatchObject({ unpushed: 0, changed: 0 })
  })

  it('report refs whose commits are missing, and refuse a directory without its own repository', async () => {
    const directory = await clone()
    await writeFile(path.join(directory, '.git/refs/heads/broken'), `${'1'.repeat(40)}\n`)
    expect((await readForeign(directory)).damaged).toEqual(['refs/heads/broken'])
    await mkdir(at('plain'))
    await expect(readForeign(at('plain'))).rejects.toMatchObject({ code: 'repository_not_found' })
    await writeFile(at('plain', '.git'), `gitdir: ${path.join(directory, '.git')}\n`)
    await expect(readForeign(at('plain'))).rejects.toMatchObject({ code: 'repository_not_found' })
    await sh(at(), 'clone', '-q', '--shared', directory, at('borrower'))
    await expect(readForeign(at('borrower'))).rejects.toMatchObject({ code: 'repository_unavailable' })
  })

  it('refuse a repository whose location only an agent vouches for', async () => {
    const secret = path.join(await clone(), '.git')
    const refused = { code: 'repository_not_found' }
    // A repository that claims that its commits are elsewhere.
    await sh(at(), 'init', '-q', at('named'))
    await write(at('named', '.git'), { commondir: `${secret}\n`, HEAD: 'ref: refs/heads/main\n' })
    await expect(readForeign(at('named'))).rejects.toMatchObject(refused)
    // A repository inside the directory that names the directory in return.
    const fake = { gitdir: '../.git\n', commondir: `${secret}\n`, HEAD: 'ref: refs/heads/main\n' }
    await write(at('forged'), { '.git': 'gitdir: fake\n' })
    await write(at('forged', 'fake'), fake)
    await expect(readForeign(at('forged'))).rejects.toMatchObject(refused)
    await expect(bundleHead(at('forged'), at('forged.bundle'), { isThin: false })).rejects.toMatchObject(refused)
    // A repository next to the directory that is not a worktree of the repository that it names.
    await write(at('beside'), { '.git': `gitdir: ${at('admin')}\n` })
    await write(at('admin'), { ...fake, gitdir: at('beside', '.git') })
    await expect(readForeign(at('beside'))).rejects.toMatchObject(refused)
    // A repository with links to objects of another one.
    await sh(at(), 'init', '-q', at('linked'))
    const borrowed = (await readdir(path.join(secret, 'objects'))).find((name) => name.length === 2) ?? ''
    await symlink(path.join(secret, 'objects', borrowed), at('linked', '.git', 'objects', borrowed))
    await expect(readForeign(at('linked'))).rejects.toMatchObject({ code: 'repository_unavailable' })
  })

  it('do not list a worktree whose directory does not name the repository', async () => {
    const directory = await clone()
    await mkdir(path.join(directory, '.git/worktrees/forged'), { recursive: true })
    await writeFile(path.join(directory, '.git/worktrees/forged/gitdir'), `${at('secret')}/.git\n`)
    await write(at('secret'), { key: 'secret' })
    expect((await readForeign(directory)).worktrees).toEqual([])
  })
})

describe('RepositoryWork.importBundle', () => {
  const sandbox = async () => {
    const identity = parseRepositoryUrl(at('remote'))
    const repositories = createRepositories(at)
    await repositories.fetch(identity)
    const added = await repositories.addWorktree(identity, { directory: at('sandbox'), branch: 'migrated/blog' })
    return {
      ...added,
      import: (bundle: string) => repositories.work.importBundle(identity, added.directory, bundle),
      isAsImported: () => repositories.work.isAsImported(identity, added.directory),
    }
  }

  it.each([true, false])('imports commits and leaves changes uncommitted (thin: %s)', async (isThin) => {
    const directory = await messyClone()
    const head = await bundleHead(directory, at('head.bundle'), { isThin })
    const base = await sh(at('remote'), 'rev-parse', 'HEAD')
    await commit(at('remote'), { 'later.txt': 'later\n' })
    const worktree = await sandbox()
    expect(await worktree.import(at('head.bundle'))).toEqual({
      branch: 'migrated/blog',
      head,
      baseCommit: base,
      changed: 6,
    })
    expect(await sh(worktree.directory, 'rev-parse', 'HEAD')).toBe(head)
    expect(await sh(worktree.directory, 'branch', '--show-current')).toBe('migrated/blog')
    const changes = (await status(directory)).replace('A  staged.txt', '?? staged.txt').split('\n').toSorted()
    expect((await status(worktree.directory)).split('\n').toSorted()).toEqual(changes)
    expect(await readFile(path.join(worktree.directory, 'a.txt'), 'utf8')).toBe('three\n')
    expect(await worktree.isAsImported()).toBe(true)
  })

  it('returns the same result on a repeated call, and refuses a worktree with work', async () => {
    const directory = await messyClone()
    await bundleHead(directory, at('head.bundle'), { isThin: true })
    const worktree = await sandbox()
    expect(await worktree.isAsImported()).toBeNull()
    await write(worktree.directory, { 'mine.txt': 'mine' })
    await expect(worktree.import(at('head.bundle'))).rejects.toMatchObject({ code: 'worktree_has_work' })
    await rm(path.join(worktree.directory, 'mine.txt'))
    const first = await worktree.import(at('head.bundle'))
    await write(worktree.directory, { 'mine.txt': 'mine' })
    expect(await worktree.isAsImported()).toBe(false)
    expect(await worktree.import(at('head.bundle'))).toEqual(first)
    expect(await readFile(path.join(worktree.directory, 'mine.txt'), 'utf8')).toBe('mine')
    await bundleHead(at('linked'), at('other.bundle'), { isThin: true })
    await expect(worktree.import(at('other.bundle'))).rejects.toMatchObject({ code: 'worktree_has_work' })
  })

  it('completes an import that a crash interrupted', async () => {
    const directory = await messyClone()
    await bundleHead(directory, at('head.bundle'), { isThin: true })
    const worktree = await sandbox()
    const done = await worktree.import(at('head.bundle'))
    const [name = ''] = (await readdir(at('mirrors'))).filter((entry) => entry.endsWith('.worktrees'))
    const [file = ''] = await readdir(at('mirrors', name))
    const record = JSON.parse(await readFile(at('mirrors', name, file), 'utf8'))
    record.imported.isDone = false
    await writeFile(at('mirrors', name, file), JSON.stringify(record))
    await write(worktree.directory, { 'a.txt': 'half written', 'half.tmp': 'x' })
    expect(await worktree.import(at('head.bundle'))).toEqual(done)
    expect(await readFile(path.join(worktree.directory, 'a.txt'), 'utf8')).toBe('three\n')
    expect(await worktree.isAsImported()).toBe(true)
  })

  it('refuses a file that is not a bundle, a bundle without HEAD, and one that needs missing commits', async () => {
    const directory = await messyClone()
    const worktree = await sandbox()
    await write(at(), { 'no.bundle': 'no bundle' })
    await expect(worktree.import(at('no.bundle'))).rejects.toMatchObject({ code: 'invalid_bundle' })
    await sh(directory, 'bundle', 'create', '-q', at('wrong.bundle'), 'main')
    await expect(worktree.import(at('wrong.bundle'))).rejects.toMatchObject({ code: 'invalid_bundle' })
    const first = await commit(directory, { 'x.txt': '1' })
    await sh(directory, 'update-ref', 'refs/remotes/origin/gone', first)
    await commit(directory, { 'x.txt': '2' })
    await bundleHead(directory, at('thin.bundle'), { isThin: true })
    await expect(worktree.import(at('thin.bundle'))).rejects.toMatchObject({ code: 'bundle_incomplete' })
    expect(await status(worktree.directory)).toBe('')
    await bundleHead(directory, at('full.bundle'), { isThin: false })
    await expect(worktree.import(at('full.bundle'))).resolves.toMatchObject({ changed: 0 })
  })
})
