import { execFile } from 'node:child_process'
import { appendFile, cp, mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { createScratch } from '../clones/scratch.ts'
import { commitAll, createEvil, createProject, sh, useTestDirectory } from '../git.fixture.ts'
import { bundleSinceBase } from './bundle-since-base.ts'

const run = promisify(execFile)
const at = useTestDirectory()

describe('bundleSinceBase', () => {
  it('saves commits and uncommitted work for a repository that has the base', async () => {
    const { first, objectDirs } = await createProject(at)
    const { directory, baseCommit: base } = first
    const request = { directory, base, objectDirs, file: at('bundles', 'x.bundle'), branch: 'work/x' }
    expect(await bundleSinceBase(request)).toBe(false)
    await writeFile(path.join(directory, 'committed.txt'), 'c')
    await sh(directory, 'add', '-A')
    await sh(directory, 'commit', '-qm', 'by the agent')
    await writeFile(path.join(directory, 'loose.txt'), 'l')
    expect(await bundleSinceBase(request)).toBe(true)
    await sh(at('origin'), 'fetch', '-q', at('bundles', 'x.bundle'), 'work/x:saved')
    expect(await sh(at('origin'), 'log', '--format=%s', 'saved')).toBe(
      'Work that was not committed\nby the agent\nbegin',
    )
    expect(await sh(at('origin'), 'show', 'saved:loose.txt')).toBe('l')
  })

  it('saves all commits when the agent created the repository again without the base', async () => {
    const { directory, baseCommit: base } = await createScratch(at('s'))
    await rm(at('s', '.git'), { recursive: true })
    await commitAll(at('s'), { 'a.txt': 'one\n' })
    await writeFile(at('s', 'b.txt'), 'two\n')
    const objectDirs = [at('s', '.git', 'objects')]
    expect(await bundleSinceBase({ directory, base, objectDirs, file: at('saved'), branch: 'b' })).toBe(true)
    await run('git', ['clone', '-q', '-b', 'b', at('saved'), at('unpacked')])
    expect((await readdir(at('unpacked'))).toSorted()).toEqual(['.git', 'a.txt', 'b.txt'])
  })

  it('does not wait for a pipe in the place of .git', async () => {
    const { first, objectDirs } = await createProject(at)
    const { directory, baseCommit: base } = first
    await rm(path.join(directory, '.git'))
    await run('mkfifo', [path.join(directory, '.git')])
    await writeFile(path.join(directory, 'b.txt'), 'two\n')
    expect(await bundleSinceBase({ directory, base, objectDirs, file: at('saved'), branch: 'b' })).toBe(true)
  })

  it('runs nothing that a repository in the place of a submodule configures', async () => {
    const { file: evil, hasRun } = await createEvil(at)
    const inner = await commitAll(at('inner'), { f: '1' })
    const source = await commitAll(at('origin'), { 'a.txt': 'one\n' })
    await sh(source, 'update-index', '--add', '--cacheinfo', `160000,${await sh(inner, 'rev-parse', 'HEAD')},sub`)
    await sh(source, 'commit', '-qm', 'with a submodule')
    const { first, objectDirs } = await createProject(at, source)
    const { directory, baseCommit: base } = first
    const sub = path.join(directory, 'sub')
    await rm(sub, { recursive: true, force: true })
    await cp(inner, sub, { recursive: true })
    await mkdir(path.join(sub, '.git', 'info'), { recursive: true })
    await appendFile(path.join(sub, '.git', 'config'), `[filter "x"]\n\tclean = ${evil}\n`)
    await writeFile(path.join(sub, '.git', 'info', 'attributes'), '* filter=x\n')
    await writeFile(path.join(sub, 'f'), '2')
    await writeFile(path.join(directory, 'new'), 'new\n')
    const file = at('bundles', 'b')
    expect(await bundleSinceBase({ directory, base, objectDirs, file, branch: 'b' })).toBe(true)
    expect(await hasRun()).toBe(false)
  })
})
