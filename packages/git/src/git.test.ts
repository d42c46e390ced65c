import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { appendFile, chmod, mkdir, mkdtemp, readFile as read, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createLock, sh } from './git.fixture.ts'
import { bundleSinceBase, createScratch, diffAgainst, parseRepositoryUrl, Repositories } from './index.ts'

const run = promisify(execFile)

let root: string
const at = (...names: string[]) => path.join(root, ...names)

const origin = async (name = 'origin', files: Readonly<Record<string, string>> = { 'a.txt': 'one\n' }) => {
  const directory = at(name)
  await mkdir(directory, { recursive: true })
  await sh(directory, 'init', '-q', '-b', 'main')
  for (const [file, text] of Object.entries(files)) await writeFile(path.join(directory, file), text)
  await sh(directory, 'add', '-A')
  await sh(directory, 'commit', '-qm', 'begin')
  return directory
}

const lock = createLock()

const repositories = () => new Repositories({ mirrorsDir: at('mirrors'), sharedDir: at('repos'), lock })

beforeEach(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'switchyard-git-'))
})

afterEach(async () => {
  await rm(root, { recursive: true, force: true })
})

describe('worktrees', () => {
  it('stand side by side on one shared clone', async () => {
    const identity = parseRepositoryUrl(await origin())
    const all = repositories()
    const made = await Promise.all(
      Array.from({ length: 8 }, async (_, n) => {
        await all.fetch(identity)
        return await all.addWorktree(identity, { directory: at('tasks', `${n}`), branch: `work/${n}` })
      }),
    )
    expect(new Set(made.map((checkout) => checkout.baseCommit)).size).toBe(1)
    for (const [n, { directory }] of made.entries()) {
      expect(await sh(directory, 'rev-parse', '--abbrev-ref', 'HEAD')).toBe(`work/${n}`)
      expect(await sh(directory, 'status', '--porcelain')).toBe('')
      expect(await sh(directory, 'rev-parse', '--git-common-dir')).toBe(
        path.join(all.sharedDirectory(identity), '.git'),
      )
    }
  })

  it('see what was pushed since', async () => {
    const source = await origin()
    const identity = parseRepositoryUrl(`file://${source}`)
    const all = repositories()
    await all.fetch(identity)
    await writeFile(path.join(source, 'b.txt'), 'two\n')
    await sh(source, 'add', '-A')
    await sh(source, 'commit', '-qm', 'second')
    await all.fetch(identity)
    await all.addWorktree(identity, { directory: at('t'), branch: 'x' })
    expect(existsSync(at('t', 'b.txt'))).toBe(true)
  })

  it('are finished when asked for again after a crash, with the work in them', async () => {
    const identity = parseRepositoryUrl(await origin())
    const all = repositories()
    await all.fetch(identity)
    const request = { directory: at('t'), branch: 'x' }
    await all.addWorktree(identity, request)
    await writeFile(at('t', 'work.txt'), 'work')
    expect(await all.addWorktree(identity, request)).toMatchObject({ branch: 'x' })
    expect(existsSync(at('t', 'work.txt'))).toBe(true)
    await rm(at('t', '.git'))
    await all.addWorktree(identity, request)
    expect(await sh(at('t'), 'status', '--porcelain')).toBe('?? work.txt')
  })

  it('begin at a branch, a tag or a commit', async () => {
    const source = await origin()
    const first = await sh(source, 'rev-parse', 'HEAD')
    await sh(source, 'tag', 'v1')
    await sh(source, 'checkout', '-qb', 'feature')
    await sh(source, 'commit', '-qm', 'more', '--allow-empty')
    await sh(source, 'checkout', '-q', 'main')
    const identity = parseRepositoryUrl(source)
    const all = repositories()
    await all.fetch(identity)
    for (const [n, base] of ['v1', first, 'main', undefined].entries())
      expect(
        (await all.addWorktree(identity, { directory: at(`t${n}`), branch: `b${n}`, ...(base ? { base } : {}) }))
          .baseCommit,
      ).toBe(first)
    const feature = await all.addWorktree(identity, { directory: at('f'), branch: 'bf', base: 'feature' })
    expect(feature.baseCommit).not.toBe(first)
  })

  it('fail with a code that says what is wrong', async () => {
    const all = repositories()
    await expect(all.fetch(parseRepositoryUrl(at('nowhere')))).rejects.toMatchObject({ code: 'repository_not_found' })
    await mkdir(at('plain'))
    await expect(all.fetch(parseRepositoryUrl(at('plain')))).rejects.toMatchObject({ code: 'repository_not_found' })
    await expect(all.fetch(parseRepositoryUrl('https://127.0.0.1:1/o/r'))).rejects.toMatchObject({
      code: 'repository_unavailable',
      retryable: true,
    })
    await mkdir(at('empty'))
    await sh(at('empty'), 'init', '-q')
    const empty = parseRepositoryUrl(at('empty'))
    await all.fetch(empty)
    await expect(all.addWorktree(empty, { directory: at('t'), branch: 'x' })).rejects.toMatchObject({
      code: 'repository_empty',
    })
    const identity = parseRepositoryUrl(await origin())
    await all.fetch(identity)
    const add = (over: object) => all.addWorktree(identity, { directory: at('t'), branch: 'x', ...over })
    await expect(add({ base: 'none' })).rejects.toMatchObject({ code: 'branch_not_found' })
    await expect(add({ branch: '../x' })).rejects.toMatchObject({ code: 'invalid_branch' })
    await add({})
    await expect(add({ directory: at('other') })).rejects.toMatchObject({ code: 'branch_in_use' })
  })

  it('are removed, and nothing else is', async () => {
    const identity = parseRepositoryUrl(await origin())
    const all = repositories()
    await all.fetch(identity)
    await all.addWorktree(identity, { directory: at('tasks', 't'), branch: 'x' })
    await mkdir(at('tasks', 'not-ours'))
    for (const place of [at('tasks', 'not-ours'), at('repos'), all.sharedDirectory(identity), at('tasks')])
      await expect(all.removeWorktree(identity, place, at('tasks'))).rejects.toMatchObject({
        code: 'path_outside_workspace',
      })
    await all.removeWorktree(identity, at('tasks', 't'), at('tasks'))
    expect(existsSync(at('tasks', 't'))).toBe(false)
    expect(existsSync(at('tasks', 'not-ours'))).toBe(true)
  })

  it('do not run what an agent wrote into the shared clone', async () => {
    const source = await origin('origin', { 'a.txt': 'one\n', '.gitattributes': '* filter=evil diff=evil\n' })
    const identity = parseRepositoryUrl(source)
    const all = repositories()
    await all.fetch(identity)
    const first = await all.addWorktree(identity, { directory: at('t1'), branch: 'x1' })
    const marker = at('ran')
    const evil = `sh -c 'echo ran >> ${marker}; cat'`
    const shared = path.join(all.sharedDirectory(identity), '.git')
    await mkdir(path.join(shared, 'hooks'), { recursive: true })
    for (const hook of ['post-checkout', 'pre-auto-gc', 'reference-transaction', 'post-index-change']) {
      await writeFile(path.join(shared, 'hooks', hook), `#!/bin/sh\necho ${hook} >> ${marker}\n`)
      await chmod(path.join(shared, 'hooks', hook), 0o755)
    }
    await writeFile(
      at('included'),
      `[filter "evil"]\n\tsmudge = ${evil}\n\tclean = ${evil}\n\tprocess = ${evil}\n\trequired = true\n`,
    )
    await appendFile(
      path.join(shared, 'config'),
      [
        `[include]\n\tpath = ${at('included')}`,
        `[core]\n\tfsmonitor = ${evil}\n\thooksPath = ${path.join(shared, 'hooks')}\n\tsshCommand = ${evil}\n\talternateRefsCommand = ${evil}`,
        `[diff]\n\texternal = ${evil}`,
        `[diff "evil"]\n\tcommand = ${evil}\n\ttextconv = ${evil}`,
        `[uploadpack]\n\tpackObjectsHook = ${evil}`,
        `[remote "origin"]\n\tuploadpack = ${evil}`,
        `[url "ext::${evil}"]\n\tinsteadOf = ${at('mirrors')}`,
        '',
      ].join('\n'),
    )
    await writeFile(at('t1', 'new.txt'), 'new\n')
    await writeFile(path.join(source, 'c.txt'), 'three\n')
    await sh(source, 'add', 'c.txt')
    await sh(source, 'commit', '-qm', 'more')
    await all.fetch(identity)
    await all.addWorktree(identity, { directory: at('t2'), branch: 'x2' })
    const diff = await diffAgainst({
      directory: first.directory,
      base: first.baseCommit,
      objectDirs: [all.objectDirectory(identity)],
    })
    await all.removeWorktree(identity, at('t2'), root)
    expect(diff.files.map((file) => file.path)).toEqual(['new.txt'])
    expect(existsSync(marker) ? await read(marker, 'utf8') : 'nothing ran').toBe('nothing ran')
  })
})

describe('a scratch repository', () => {
  it('is the same when it is asked for again, and keeps what was done', async () => {
    const one = await createScratch(at('s'))
    await writeFile(at('s', 'a'), 'a')
    await sh(at('s'), 'add', '-A')
    await sh(at('s'), 'commit', '-qm', 'work')
    const two = await createScratch(at('s'))
    expect(two).toEqual(one)
    expect(await sh(at('s'), 'log', '--format=%s')).toBe('work\nBegin s')
  })
})

describe('the diff', () => {
  const objects = () => [path.join(at('s'), '.git', 'objects')]

  it('shows committed, staged, unstaged and untracked changes alike, and touches no index', async () => {
    const { baseCommit } = await createScratch(at('s'))
    const write = (name: string, text: string | Buffer) => writeFile(at('s', name), text)
    await write('committed.txt', '1\n')
    await sh(at('s'), 'add', '-A')
    await sh(at('s'), 'commit', '-qm', 'one')
    await write('staged.txt', '2\n')
    await sh(at('s'), 'add', 'staged.txt')
    await write('staged.txt', '2\n3\n')
    await write('untracked "quoted" ü\n.txt', '4')
    await write('binary.bin', Buffer.from([0, 1, 2, 255]))
    await write('.gitignore', 'ignored\n')
    await write('ignored', 'x')
    await symlink('/etc/passwd', at('s', 'link'))
    await mkdir(at('s', 'nested'))
    await sh(at('s', 'nested'), 'init', '-q')
    await writeFile(at('s', 'nested', 'f'), 'f')
    const status = await sh(at('s'), 'status', '--porcelain', '-z')
    const diff = await diffAgainst({ directory: at('s'), base: baseCommit, objectDirs: objects() })
    expect(await sh(at('s'), 'status', '--porcelain', '-z')).toBe(status)
    expect(diff.files.map((file) => [file.path, file.status, file.binary])).toEqual(
      expect.arrayContaining([
        ['committed.txt', 'added', false],
        ['staged.txt', 'added', false],
        ['untracked "quoted" ü\n.txt', 'added', false],
        ['binary.bin', 'added', true],
        ['link', 'added', false],
      ]),
    )
    expect(diff.files.some((file) => file.path === 'ignored' || file.path.startsWith('.git/'))).toBe(false)
    expect(diff.diff).not.toContain('root:')
  })

  it('tells renames and deletions, and cuts what is too long', async () => {
    const identity = parseRepositoryUrl(
      await origin('o', { 'old.txt': 'a\nb\nc\nd\ne\n', 'gone.txt': 'x\n', 'big.txt': '' }),
    )
    const all = repositories()
    await all.fetch(identity)
    const { baseCommit } = await all.addWorktree(identity, { directory: at('t'), branch: 'x' })
    await run('mv', [at('t', 'old.txt'), at('t', 'new.txt')])
    await rm(at('t', 'gone.txt'))
    await writeFile(at('t', 'big.txt'), 'line\n'.repeat(100_000))
    const diff = await diffAgainst({
      directory: at('t'),
      base: baseCommit,
      objectDirs: [all.objectDirectory(identity)],
      maxBytes: 10_000,
    })
    expect(diff.files.map((file) => [file.path, file.status, file.additions, file.deletions])).toEqual([
      ['big.txt', 'modified', 100_000, 0],
      ['gone.txt', 'deleted', 0, 1],
      ['new.txt', 'renamed', 0, 0],
    ])
    expect(diff).toMatchObject({ truncated: true, additions: 100_000, deletions: 1 })
    expect(diff.diff.length).toBeLessThanOrEqual(10_000)
  })

  it('says that the directory is gone', async () => {
    await expect(diffAgainst({ directory: at('none'), base: 'x', objectDirs: [] })).rejects.toMatchObject({
      code: 'workspace_gone',
    })
  })
})

describe('the bundle', () => {
  it('holds commits and uncommitted work alike, and can be unpacked where the base is', async () => {
    const source = await origin()
    const identity = parseRepositoryUrl(source)
    const all = repositories()
    await all.fetch(identity)
    const { baseCommit } = await all.addWorktree(identity, { directory: at('t'), branch: 'work/x' })
    const request = {
      directory: at('t'),
      base: baseCommit,
      objectDirs: [all.objectDirectory(identity)],
      file: at('bundles', 'x.bundle'),
      branch: 'work/x',
    }
    expect(await bundleSinceBase(request)).toBe(false)
    await writeFile(at('t', 'committed.txt'), 'c')
    await sh(at('t'), 'add', '-A')
    await sh(at('t'), 'commit', '-qm', 'the agent’s own')
    await writeFile(at('t', 'loose.txt'), 'l')
    expect(await bundleSinceBase(request)).toBe(true)
    await sh(source, 'fetch', '-q', at('bundles', 'x.bundle'), 'work/x:saved')
    expect(await sh(source, 'log', '--format=%s', 'saved')).toBe('Work that was not committed\nthe agent’s own\nbegin')
    expect(await sh(source, 'show', 'saved:loose.txt')).toBe('l')
  })
})
