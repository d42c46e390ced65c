import { execFile } from 'node:child_process'
import { chown, mkdir, readdir, symlink, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { commitAll, createLock, createProject, createRepositories, sh, useTestDirectory } from '../git.fixture.ts'
import { parseRepositoryUrl } from '../identity/identity.ts'
import { Repositories } from '../repositories.ts'

const run = promisify(execFile)
const at = useTestDirectory()

type Project = Awaited<ReturnType<typeof createProject>>

describe('Repositories.fetch', () => {
  it('accepts a shallow repository, and a checkout with a detached HEAD', async () => {
    const source = await commitAll(at('origin'), { 'a.txt': 'one\n' })
    await commitAll(source, { 'a.txt': 'two\n' })
    await run('git', ['clone', '-q', '--depth', '1', `file://${source}`, at('shallow')])
    const commit = await sh(at('shallow'), 'rev-parse', 'HEAD')
    await sh(at('shallow'), 'checkout', '-q', '--detach')
    const { first } = await createProject(at, at('shallow'))
    expect(first.baseCommit).toBe(commit)
  })

  it.skipIf(process.getuid?.() !== 0)('accepts a repository that another user owns', async () => {
    const source = await commitAll(at('origin'), { 'a.txt': 'one\n' })
    for (const name of ['', ...(await readdir(source, { recursive: true }))])
      await chown(path.join(source, name), 65534, 65534)
    expect((await createProject(at, source)).first.branch).toBe('b1')
  })

  it('removes the lock file of a git process that was killed', async () => {
    const { identity, repositories } = await createProject(at)
    await sh(at('origin'), 'branch', 'gone')
    await repositories.fetch(identity)
    await writeFile(at('mirrors', `${identity.slug}.git`, 'packed-refs.lock'), '')
    await sh(at('origin'), 'branch', '-D', 'gone')
    await repositories.fetch(identity)
    expect(await sh(repositories.sharedDirectory(identity), 'branch', '-r')).toBe('origin/main')
  })

  it('keeps tags that agents created', async () => {
    const { identity, repositories, first } = await createProject(at)
    await sh(first.directory, 'tag', 'mine')
    await repositories.fetch(identity)
    expect(await sh(first.directory, 'tag')).toBe('mine')
  })

  it('reports a missing, a plain and an unreachable repository with different codes', async () => {
    const repositories = createRepositories(at)
    const fetch = (url: string) => repositories.fetch(parseRepositoryUrl(url))
    await expect(fetch(at('nowhere'))).rejects.toMatchObject({ code: 'repository_not_found' })
    await mkdir(at('plain'))
    await expect(fetch(at('plain'))).rejects.toMatchObject({ code: 'repository_not_found' })
    await expect(fetch('https://127.0.0.1:1/o/r')).rejects.toMatchObject({
      code: 'repository_unavailable',
      retryable: true,
    })
  })

  it.each([
    ['the mirror', async ({ identity }: Project) => at('mirrors', `${identity.slug}.git`)],
    ['the shared clone', async ({ repositories, identity }: Project) => repositories.sharedDirectory(identity)],
    ['a worktree', async ({ first }: Project) => first.directory],
    [
      'a link to a worktree',
      async ({ first }: Project) => {
        await symlink(first.directory, at('link'))
        return at('link')
      },
    ],
  ])('refuses %s of another project as a repository', async (_, directoryOf) => {
    const project = await createProject(at)
    const repositories = new Repositories({
      mirrorsDir: at('mirrors'),
      sharedDir: at('repos'),
      objectStoresDir: at('objects'),
      workspacesDir: at('tasks'),
      lock: createLock(),
    })
    await expect(repositories.fetch(parseRepositoryUrl(await directoryOf(project)))).rejects.toMatchObject({
      code: 'invalid_project',
    })
  })

  it('gives every concurrent caller what was pushed before its call', async () => {
    const { identity, repositories } = await createProject(at)
    await Promise.all(
      Array.from({ length: 5 }, async (_, n) => {
        await commitAll(at('origin'), { 'n.txt': `${n}\n` }).catch(() => undefined)
        const pushed = await sh(at('origin'), 'rev-parse', 'HEAD')
        await repositories.fetch(identity)
        await sh(repositories.sharedDirectory(identity), 'cat-file', '-e', pushed)
      }),
    )
    expect(await sh(repositories.sharedDirectory(identity), 'rev-parse', 'origin/main')).toBe(
      await sh(at('origin'), 'rev-parse', 'HEAD'),
    )
  })

  it('stops for a caller that aborts, and continues for the others', async () => {
    const { identity, repositories } = await createProject(at)
    const stop = new AbortController()
    const mine = repositories.fetch(identity, { signal: stop.signal })
    const theirs = repositories.fetch(identity)
    stop.abort(new Error('enough'))
    await expect(mine).rejects.toThrow('enough')
    await theirs
  })
})
