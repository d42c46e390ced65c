import { appendFile, chmod, cp, mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { diffAgainst } from '../changes/diff.ts'
import { commitAll, createEvil, createProject, createRepositories, exists, useTestDirectory } from '../git.fixture.ts'
import { parseRepositoryUrl } from '../identity/identity.ts'

const at = useTestDirectory()

describe('an agent that changes the shared clone', () => {
  const filter = (name: string) => `[filter "${name}"]\n\tsmudge = ${at('evil')}\n\tclean = ${at('evil')}\n`
  const attacks: Readonly<Record<string, (shared: string) => Promise<void>>> = {
    'a filter': async (shared) => await appendFile(path.join(shared, 'config'), filter('x')),
    'a filter with = in its name': async (shared) => {
      await appendFile(path.join(shared, 'config'), filter('x=y'))
      await writeFile(path.join(shared, 'info', 'attributes'), '* filter=x=y\n')
    },
    'a filter included only for linked worktrees': async (shared) => {
      await writeFile(at('included'), filter('x'))
      await appendFile(
        path.join(shared, 'config'),
        `[includeIf "gitdir:**/worktrees/**"]\n\tpath = ${at('included')}\n`,
      )
    },
    'a filter included only for one branch': async (shared) => {
      await writeFile(at('included'), filter('x'))
      await appendFile(path.join(shared, 'config'), `[includeIf "onbranch:b2"]\n\tpath = ${at('included')}\n`)
    },
    'a filter in config.worktree': async (shared) => {
      await appendFile(path.join(shared, 'config'), '[extensions]\n\tworktreeConfig = true\n')
      await writeFile(path.join(shared, 'config.worktree'), filter('x'))
    },
    'hooks and a file system monitor': async (shared) => {
      await mkdir(path.join(shared, 'hooks'), { recursive: true })
      for (const hook of ['post-checkout', 'reference-transaction', 'post-index-change'])
        await cp(at('evil'), path.join(shared, 'hooks', hook))
      await appendFile(path.join(shared, 'config'), `[core]\n\tfsmonitor = ${at('evil')}\n`)
    },
  }

  it.each(Object.keys(attacks))('cannot make the worker run a command through %s', async (name) => {
    const { hasRun } = await createEvil(at)
    const { identity, repositories, first, shared, add, objectDirs } = await createProject(at)
    await mkdir(path.join(shared, 'info'), { recursive: true })
    await writeFile(path.join(shared, 'info', 'attributes'), '* filter=x\n')
    await attacks[name]?.(shared)
    await add('t2', 'b2')
    await commitAll(at('origin'), { 'c.txt': 'three\n' })
    await repositories.fetch(identity)
    await diffAgainst({ directory: first.directory, base: first.baseCommit, objectDirs })
    await repositories.removeWorktree(identity, at('tasks', 't2'), at('tasks'))
    expect(await hasRun()).toBe(false)
  })

  it('cannot make the worker run a command through any setting, all of them together', async () => {
    const { file: evil, hasRun } = await createEvil(at)
    const source = await commitAll(at('origin'), { 'a.txt': 'one\n', '.gitattributes': '* filter=evil diff=evil\n' })
    const identity = parseRepositoryUrl(source)
    const repositories = createRepositories(at)
    await repositories.fetch(identity)
    const first = await repositories.addWorktree(identity, { directory: at('t1'), branch: 'x1' })
    const shared = path.join(repositories.sharedDirectory(identity), '.git')
    await mkdir(path.join(shared, 'hooks'), { recursive: true })
    for (const hook of ['post-checkout', 'pre-auto-gc', 'reference-transaction', 'post-index-change']) {
      await cp(evil, path.join(shared, 'hooks', hook))
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
    await commitAll(source, { 'c.txt': 'three\n' })
    await repositories.fetch(identity)
    await repositories.addWorktree(identity, { directory: at('t2'), branch: 'x2' })
    const { directory, baseCommit: base } = first
    const objectDirs = await repositories.objectDirectories(identity, directory)
    const diff = await diffAgainst({ directory, base, objectDirs })
    await repositories.removeWorktree(identity, at('t2'), at())
    expect(diff.files.map((file) => file.path)).toEqual(['new.txt'])
    expect(await exists(at('t1', 'new.txt'))).toBe(true)
    expect(await hasRun()).toBe(false)
  })
})
