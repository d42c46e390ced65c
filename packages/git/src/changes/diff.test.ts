import { execFile } from 'node:child_process'
import { appendFile, cp, mkdir, rename, rm, symlink, truncate, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { createScratch } from '../clones/scratch.ts'
import { commitAll, createEvil, createProject, sh, useTestDirectory } from '../git.fixture.ts'
import { diffAgainst } from './diff.ts'

const run = promisify(execFile)
const at = useTestDirectory()

describe('diffAgainst', () => {
  const objectDirs = () => [at('s', '.git', 'objects')]

  it('shows committed, staged, unstaged and untracked changes, and leaves the index as it is', async () => {
    const { baseCommit: base } = await createScratch(at('s'))
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
    const diff = await diffAgainst({ directory: at('s'), base, objectDirs: objectDirs() })
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

  it('reports renames and deletions, and cuts a long diff', async () => {
    const source = await commitAll(at('o'), { 'old.txt': 'a\nb\nc\nd\ne\n', 'gone.txt': 'x\n', 'big.txt': '' })
    const { first, objectDirs: shared } = await createProject(at, source)
    const { directory, baseCommit: base } = first
    await rename(path.join(directory, 'old.txt'), path.join(directory, 'new.txt'))
    await rm(path.join(directory, 'gone.txt'))
    await writeFile(path.join(directory, 'big.txt'), 'line\n'.repeat(100_000))
    const diff = await diffAgainst({ directory, base, objectDirs: shared, maxBytes: 10_000 })
    expect(diff.files.map((file) => [file.path, file.status, file.additions, file.deletions])).toEqual([
      ['big.txt', 'modified', 100_000, 0],
      ['gone.txt', 'deleted', 0, 1],
      ['new.txt', 'renamed', 0, 0],
    ])
    expect(diff).toMatchObject({ truncated: true, additions: 100_000, deletions: 1 })
    expect(diff.diff.length).toBeLessThanOrEqual(10_000)
  })

  it('reports a missing directory as workspace_gone', async () => {
    await expect(diffAgainst({ directory: at('none'), base: 'x', objectDirs: [] })).rejects.toMatchObject({
      code: 'workspace_gone',
    })
  })

  it('includes the files of nested repositories, with and without commits', async () => {
    const { directory, baseCommit: base } = await createScratch(at('s'))
    await commitAll(at('s', 'one'), { f: '1\n' })
    await mkdir(at('s', 'two'))
    await sh(at('s', 'two'), 'init', '-q')
    await writeFile(at('s', 'two', 'g'), '2\n')
    await writeFile(at('s', 'top'), '3\n')
    const diff = await diffAgainst({ directory, base, objectDirs: objectDirs() })
    expect(diff.files.map((file) => [file.path, file.additions])).toEqual([
      ['one/f', 1],
      ['top', 1],
      ['two/g', 1],
    ])
  })

  it('lists huge files without reading or copying them', async () => {
    const source = await commitAll(at('origin'), { 'grows.bin': 'x\n', 'a.txt': 'one\n' })
    const { first, objectDirs: shared } = await createProject(at, source)
    const { directory, baseCommit: base } = first
    for (const name of ['grows.bin', 'new.bin']) {
      await writeFile(path.join(directory, name), '')
      await truncate(path.join(directory, name), name === 'new.bin' ? 2 ** 36 : 2 ** 28)
    }
    await writeFile(path.join(directory, '.gitattributes'), '*.bin diff\n')
    await writeFile(path.join(directory, 'a.txt'), 'two\n')
    const diff = await diffAgainst({ directory, base, objectDirs: shared })
    expect(diff.files.map((file) => [file.path, file.status, file.binary])).toEqual([
      ['.gitattributes', 'added', false],
      ['a.txt', 'modified', false],
      ['grows.bin', 'modified', true],
      ['new.bin', 'added', true],
    ])
    expect(diff.truncated).toBe(true)
    expect(diff.diff.length).toBeLessThan(10_000)
  })
})

describe('diffAgainst of a directory that an agent changed', () => {
  it('refuses a directory that was replaced by a link', async () => {
    const { baseCommit: base } = await createScratch(at('s'))
    await mkdir(at('secrets'))
    await writeFile(at('secrets', 'services.env'), 'PASSWORD=hunter2\n')
    await rename(at('s'), at('moved'))
    await symlink(at('secrets'), at('s'))
    await expect(
      diffAgainst({ directory: at('s'), base, objectDirs: [at('moved', '.git', 'objects')] }),
    ).rejects.toMatchObject({ code: 'workspace_gone' })
  })

  it('compares a directory whose repository was created again', async () => {
    const { directory, baseCommit: base } = await createScratch(at('s'))
    await rm(at('s', '.git'), { recursive: true })
    await commitAll(at('s'), { 'a.txt': 'one\n' })
    await writeFile(at('s', 'b.txt'), 'two\n')
    const { files } = await diffAgainst({ directory, base, objectDirs: [at('s', '.git', 'objects')] })
    expect(files.map((file) => file.path)).toEqual(['a.txt', 'b.txt'])
  })

  it('shows a change that attributes declare binary, and does not wait for a pipe', async () => {
    const source = await commitAll(at('origin'), { 'a.txt': 'one\n', 'b.txt': 'two\n' })
    const { first, objectDirs } = await createProject(at, source)
    const { directory, baseCommit: base } = first
    await writeFile(path.join(directory, '.gitattributes'), '* -diff\n')
    await writeFile(path.join(directory, 'a.txt'), 'changed\n')
    await rm(path.join(directory, 'b.txt'))
    await run('mkfifo', [path.join(directory, 'b.txt')])
    const diff = await diffAgainst({ directory, base, objectDirs })
    expect(diff.diff).toContain('+changed')
  })

  it('runs nothing that a repository in the place of a submodule configures', async () => {
    const { file: evil, hasRun } = await createEvil(at)
    const inner = await commitAll(at('inner'), { f: '1' })
    const source = await commitAll(at('origin'), { 'a.txt': 'one\n' })
    await sh(source, 'update-index', '--add', '--cacheinfo', `160000,${await sh(inner, 'rev-parse', 'HEAD')},sub`)
    await sh(source, 'commit', '-qm', 'with a submodule')
    const { first, objectDirs } = await createProject(at, source)
    const sub = path.join(first.directory, 'sub')
    await rm(sub, { recursive: true, force: true })
    await cp(inner, sub, { recursive: true })
    await mkdir(path.join(sub, '.git', 'info'), { recursive: true })
    await appendFile(path.join(sub, '.git', 'config'), `[filter "x"]\n\tclean = ${evil}\n`)
    await writeFile(path.join(sub, '.git', 'info', 'attributes'), '* filter=x\n')
    await writeFile(path.join(sub, 'f'), '2')
    await diffAgainst({ directory: first.directory, base: first.baseCommit, objectDirs })
    expect(await hasRun()).toBe(false)
  })
})
