// Tests publishing to a real remote behind a real sshd.

import { existsSync } from 'node:fs'
import {
  appendFile,
  chmod,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  realpath,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { type GitSsh, startGitSsh } from '@switchyard/testing'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { commit, createLock, sh } from '../git.fixture.ts'
import { bundleHead, DeployKeys, exportPatch, parseRepositoryUrl, Repositories, RepositoryAccess } from '../index.ts'

let base: string
let root: string
let server: GitSsh
const at = (...names: string[]) => path.join(root, ...names)
const lock = createLock()

/** Creates a project behind ssh with a deploy key, and a worktree of it. */
const project = async (access: 'read' | 'write' = 'write') => {
  await sh(root, 'init', '-q', '--bare', '-b', 'main', at('remote.git'))
  await sh(root, 'clone', '-q', at('remote.git'), at('other'))
  await commit(at('other'), 'a.txt')
  await sh(at('other'), 'push', '-q', 'origin', 'HEAD:main')
  await writeFile(at('known_hosts'), await server.knownHost())
  const keys = new DeployKeys({ directory: at('keys'), lock })
  const { connect } = new RepositoryAccess({ keys, knownHosts: at('known_hosts') })
  const identity = parseRepositoryUrl(server.url(at('remote.git')))
  await server.allow((await keys.ensure(identity)).publicKey, at('remote.git'), access)
  const repositories = new Repositories({
    mirrorsDir: at('mirrors'),
    sharedDir: at('repos'),
    objectStoresDir: at('objects'),
    lock,
    connect,
  })
  await repositories.fetch(identity)
  const directory = at('boxes', 'w')
  const { baseCommit } = await repositories.addWorktree(identity, { directory, branch: 'work' })
  const publish = (more: object = {}) =>
    repositories.work.publish(identity, { directory, branch: 'published', ...more })
  const onRemote = (...args: string[]) => sh(at('remote.git'), ...args)
  return { identity, repositories, directory, baseCommit, publish, onRemote }
}

beforeAll(async () => {
  base = await mkdtemp(path.join(tmpdir(), 'switchyard-sshd-'))
  server = await startGitSsh(path.join(base, 'sshd'))
})

afterAll(async () => {
  await server.close()
  await rm(base, { recursive: true, force: true })
})

beforeEach(async () => {
  root = await realpath(await mkdtemp(path.join(tmpdir(), 'switchyard-publish-')))
  await server.denyAll()
})

afterEach(async () => {
  await rm(root, { recursive: true, force: true })
})

describe('RepositoryWork.publish', () => {
  it('pushes commits and uncommitted changes, and leaves the directory as it is', async () => {
    const { directory, publish, onRemote, baseCommit } = await project()
    const agentCommit = await commit(directory, 'b.txt')
    await writeFile(path.join(directory, 'c.txt'), 'c\n')
    await chmod(path.join(directory, 'a.txt'), 0o755)
    const before = await sh(directory, 'status', '--porcelain')
    const author = { name: 'Ada', email: 'ada@example.org' }
    const published = await publish({ message: 'Add c', author })
    expect(published).toMatchObject({ branch: 'published', pushed: true, commits: 2, leftOut: [] })
    expect(await onRemote('log', '--format=%s|%an|%cn', `${baseCommit}..published`)).toBe(
      'Add c|Ada|Switchyard\nadd b.txt|T|T',
    )
    expect(await onRemote('rev-parse', 'published', 'published~1')).toBe(`${published.commit}\n${agentCommit}`)
    expect(await onRemote('ls-tree', '--name-only', 'published')).toBe('a.txt\nb.txt\nc.txt')
    expect(await sh(directory, 'rev-parse', 'HEAD')).toBe(agentCommit)
    expect(await sh(directory, 'status', '--porcelain')).toBe(before)
  })

  it('returns the same commit on a repeated call, and adds later work', async () => {
    const { identity, repositories, directory, publish, onRemote, baseCommit } = await project()
    await writeFile(path.join(directory, 'c.txt'), 'c\n')
    const [first, again] = await Promise.all([publish(), publish()])
    expect([first.pushed, again.pushed].sort()).toEqual([false, true])
    expect(again.commit).toBe(first.commit)
    await writeFile(path.join(directory, 'd.txt'), 'd\n')
    expect(await publish()).toMatchObject({ pushed: true, commits: 1 })
    // The agent commits its changes and continues.
    await commit(directory, 'e.txt')
    await repositories.fetch(identity)
    expect(await publish()).toMatchObject({ pushed: true })
    expect(await onRemote('ls-tree', '--name-only', 'published')).toBe('a.txt\nc.txt\nd.txt\ne.txt')
    expect(await onRemote('rev-list', '--count', `${baseCommit}..published`)).toBe('4')
    expect(await publish()).toMatchObject({ pushed: false, commits: 0 })
    expect(await repositories.work.state(identity, directory)).toMatchObject({ unpushed: 0, dirty: 0 })
  })

  it('pushes nothing when nothing changed', async () => {
    const { publish, onRemote, baseCommit } = await project()
    expect(await publish()).toMatchObject({ pushed: false, commits: 0, commit: baseCommit })
    expect(await onRemote('for-each-ref', '--format=%(refname:short)')).toBe('main')
  })

  it('replaces commits of others only with force, and only those of the last fetch', async () => {
    const { identity, repositories, directory, publish, onRemote } = await project()
    await commit(at('other'), 'theirs.txt')
    await sh(at('other'), 'push', '-q', 'origin', 'HEAD:published')
    await commit(directory, 'b.txt')
    await expect(publish()).rejects.toMatchObject({ code: 'branch_diverged' })
    // Even with force: the last fetch was before their push.
    await expect(publish({ force: true })).rejects.toMatchObject({
      code: 'branch_diverged',
      message: expect.stringContaining('has changed on the remote'),
    })
    await repositories.fetch(identity)
    await expect(publish()).rejects.toMatchObject({ code: 'branch_diverged' })
    expect(await onRemote('ls-tree', '--name-only', 'published')).toBe('a.txt\ntheirs.txt')
    expect(await publish({ force: true })).toMatchObject({ pushed: true })
    expect(await onRemote('ls-tree', '--name-only', 'published')).toBe('a.txt\nb.txt')
  })

  it('reports a read-only key, and how to fix it', async () => {
    const { directory, publish } = await project('read')
    await commit(directory, 'b.txt')
    await expect(publish()).rejects.toMatchObject({
      code: 'repository_access_denied',
      message: expect.stringContaining('read only'),
      hint: expect.stringContaining('allow write access'),
    })
  })

  it('quotes the refusal of a remote, without credentials and control characters', async () => {
    const { directory, publish } = await project()
    const hook = at('remote.git', 'hooks', 'pre-receive')
    await writeFile(
      hook,
      '#!/bin/sh\nprintf "\\033[31mmain is protected\\007, see https://u:pw@h.example/rules\\n" >&2\nexit 1\n',
    )
    await chmod(hook, 0o755)
    await commit(directory, 'b.txt')
    const error = await publish({ branch: 'main' }).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ code: 'push_rejected' })
    const { message } = error as Error
    expect(message).toContain('main is protected')
    expect(message).toContain('https://h.example/rules')
    expect(message).not.toMatch(/\p{Cc}/u)
  })

  it('pushes the same commit again after a failed push', async () => {
    const { directory, publish } = await project()
    const hook = at('remote.git', 'hooks', 'pre-receive')
    await writeFile(hook, '#!/bin/sh\nexit 1\n')
    await chmod(hook, 0o755)
    await writeFile(path.join(directory, 'c.txt'), 'c\n')
    await expect(publish()).rejects.toMatchObject({ code: 'push_rejected' })
    const mirror = (await readdir(at('mirrors'))).find((name) => name.endsWith('.git')) ?? ''
    const stored = await sh(at('mirrors', mirror), 'for-each-ref', '--format=%(objectname)', 'refs/switchyard')
    await rm(hook)
    expect(await publish()).toMatchObject({ pushed: true, commit: stored })
  })

  it('runs nothing that an agent configured', async () => {
    const { identity, repositories, directory, publish, onRemote } = await project()
    await writeFile(at('evil'), `#!/bin/sh\ntouch ${at('ran')}\ncat\n`)
    await chmod(at('evil'), 0o755)
    const shared = path.join(repositories.sharedDirectory(identity), '.git')
    await appendFile(
      path.join(shared, 'config'),
      `[filter "x"]\n\tclean = ${at('evil')}\n[core]\n\tsshCommand = ${at('evil')}\n\tfsmonitor = ${at('evil')}\n\tpager = ${at('evil')}\n` +
        `[push]\n\tgpgSign = true\n\tfollowTags = true\n[gpg]\n\tprogram = ${at('evil')}\n[commit]\n\tgpgSign = true\n` +
        `[url "ext::${at('evil')}"]\n\tinsteadOf = ssh\n[credential]\n\thelper = ${at('evil')}\n`,
    )
    await mkdir(path.join(shared, 'hooks'), { recursive: true })
    for (const hook of ['pre-push', 'pre-commit', 'reference-transaction', 'post-index-change']) {
      await writeFile(path.join(shared, 'hooks', hook), await readFile(at('evil')))
      await chmod(path.join(shared, 'hooks', hook), 0o755)
    }
    await writeFile(path.join(directory, '.gitattributes'), '* filter=x diff=x merge=x\n')
    await writeFile(path.join(directory, 'c.txt'), 'c\n')
    expect(await publish()).toMatchObject({ pushed: true })
    expect(existsSync(at('ran'))).toBe(false)
    expect(await onRemote('show', 'published:c.txt')).toBe('c')
  })

  it('publishes no commit of another repository that an agent names', async () => {
    const { identity, repositories, directory, publish, baseCommit } = await project()
    await sh(root, 'init', '-q', '-b', 'main', at('private'))
    await commit(at('private'), 'secret.txt')
    await sh(at('private'), 'worktree', 'add', '-q', at('lent'))
    // The worktree claims to belong to another repository.
    await writeFile(path.join(directory, '.git'), await readFile(at('lent', '.git')))
    expect(await publish()).toMatchObject({ pushed: false, commit: baseCommit })
    expect(await repositories.work.state(identity, directory)).toMatchObject({ branch: 'work', head: baseCommit })
    // `.git` is a link to another repository.
    await rm(path.join(directory, '.git'))
    await symlink(at('private', '.git'), path.join(directory, '.git'))
    expect(await publish()).toMatchObject({ pushed: false, commit: baseCommit })
    // The shared clone borrows objects from another repository.
    const shared = path.join(repositories.sharedDirectory(identity), '.git')
    await mkdir(path.join(shared, 'objects', 'info'), { recursive: true })
    await writeFile(path.join(shared, 'objects', 'info', 'alternates'), `${at('private', '.git', 'objects')}\n`)
    expect(await publish()).toMatchObject({ pushed: false, commit: baseCommit })
    // The directory is not one of our worktrees.
    await mkdir(at('forged'))
    await writeFile(at('forged', '.git'), await readFile(at('lent', '.git')))
    for (const other of [at('forged'), at('nowhere'), root])
      await expect(publish({ directory: other })).rejects.toMatchObject({ code: 'workspace_gone' })
  })

  /** What an agent can change in the clone of its task. `secret` is the repository of another project, `head` its commit. */
  const attacks: Readonly<Record<string, (directory: string, secret: string, head: string) => Promise<void>>> = {
    'a commondir file that names it': async (directory, secret, head) => {
      await writeFile(path.join(directory, '.git', 'commondir'), `${secret}\n`)
      await writeFile(path.join(directory, '.git', 'HEAD'), `${head}\n`)
    },
    'a forged git directory that names the clone in return': async (directory, secret) => {
      await rm(path.join(directory, '.git'), { recursive: true })
      await mkdir(path.join(directory, 'fake'))
      await writeFile(path.join(directory, '.git'), 'gitdir: fake\n')
      await writeFile(path.join(directory, 'fake', 'gitdir'), '../.git\n')
      await writeFile(path.join(directory, 'fake', 'commondir'), `${secret}\n`)
      await writeFile(path.join(directory, 'fake', 'HEAD'), 'ref: refs/heads/main\n')
    },
    'links to its objects': async (directory, secret, head) => {
      const objects = path.join(directory, '.git', 'objects')
      for (const name of await readdir(path.join(secret, 'objects')))
        if (/^[0-9a-f]{2}$/.test(name)) {
          await rm(path.join(objects, name), { recursive: true, force: true })
          await symlink(path.join(secret, 'objects', name), path.join(objects, name))
        }
      await writeFile(path.join(directory, '.git', 'HEAD'), `${head}\n`)
    },
    'a link to its pack': async (directory, secret, head) => {
      await sh(path.dirname(secret), 'gc', '-q')
      for (const name of await readdir(path.join(secret, 'objects', 'pack')))
        await symlink(path.join(secret, 'objects', 'pack', name), path.join(directory, '.git', 'objects', 'pack', name))
      await writeFile(path.join(directory, '.git', 'HEAD'), `${head}\n`)
    },
    'info/alternates that names its objects': async (directory, secret, head) => {
      const file = path.join(directory, '.git', 'objects', 'info', 'alternates')
      await writeFile(file, `${path.join(secret, 'objects')}\n`)
      await writeFile(path.join(directory, '.git', 'HEAD'), `${head}\n`)
    },
    'links to its refs and objects': async (directory, secret) => {
      for (const name of ['refs', 'objects']) {
        await rm(path.join(directory, '.git', name), { recursive: true })
        await symlink(path.join(secret, name), path.join(directory, '.git', name))
      }
    },
    'a link in the place of .git': async (directory, secret) => {
      await rm(path.join(directory, '.git'), { recursive: true })
      await symlink(secret, path.join(directory, '.git'))
    },
    'a link in the place of the directory': async (directory, secret) => {
      await rm(directory, { recursive: true })
      await symlink(path.dirname(secret), directory)
    },
  }
  it.each(Object.keys(attacks))("publishes nothing of another repository from a task's clone: %s", async (name) => {
    const { identity, repositories, onRemote } = await project()
    await sh(root, 'init', '-q', '-b', 'main', at('private'))
    const head = await commit(at('private'), 'secret.txt')
    const directory = at('docker', 'task', 'work')
    await repositories.createStandaloneClone(identity, { directory, branch: 'main', reuse: true })
    await attacks[name]?.(directory, at('private', '.git'), head)
    const refused = { code: expect.stringMatching(/^(?:workspace_gone|repository_unavailable)$/) }
    await expect(repositories.work.publish(identity, { directory, branch: 'published' })).rejects.toMatchObject(refused)
    await expect(repositories.work.gitDirectoryOf(identity, directory)).rejects.toMatchObject(refused)
    await expect(repositories.work.state(identity, directory)).rejects.toMatchObject(refused)
    expect(await onRemote('for-each-ref', '--format=%(refname:short)')).toBe('main')
  })

  it.each(Object.keys(attacks))(
    'publishes nothing of another repository from a clone that borrows: %s',
    async (name) => {
      const { identity, repositories, onRemote } = await project()
      await sh(root, 'init', '-q', '-b', 'main', at('private'))
      const head = await commit(at('private'), 'secret.txt')
      const directory = at('tasks', 'task')
      await repositories.addClone(identity, { directory, branch: 'task' })
      await attacks[name]?.(directory, at('private', '.git'), head)
      const published = repositories.work.publish(identity, { directory, branch: 'published' })
      await published.catch((error: unknown) => {
        expect(error).toMatchObject({ code: expect.stringMatching(/^(?:workspace_gone|repository_unavailable)$/) })
      })
      const bundle = repositories.work.bundle(identity, directory, at('task.bundle'))
      await bundle.catch((error: unknown) => {
        expect(error).toMatchObject({ code: expect.stringMatching(/^(?:workspace_gone|repository_unavailable)$/) })
      })
      expect(await onRemote('log', '--all', '--format=', '--name-only')).not.toContain('secret.txt')
      if (existsSync(at('task.bundle'))) {
        await sh(at('other'), 'fetch', '-q', at('task.bundle'), '+refs/*:refs/saved/*')
        expect(await sh(at('other'), 'log', '--all', '--format=', '--name-only')).not.toContain('secret.txt')
      }
    },
  )

  it("publishes the work in a task's clone", async () => {
    const { identity, repositories, onRemote } = await project()
    const directory = at('docker', 'task', 'work')
    await repositories.createStandaloneClone(identity, { directory, branch: 'task' })
    await commit(directory, 'b.txt')
    const gitDirectory = await repositories.work.gitDirectoryOf(identity, directory)
    expect(await repositories.work.publish(identity, { directory, branch: 'published' })).toMatchObject({
      pushed: true,
    })
    expect(await onRemote('show', 'published:b.txt')).toBe('b.txt')
    const head = await sh(directory, 'rev-parse', 'HEAD')
    expect(await bundleHead(directory, at('work.bundle'), { isThin: false, gitDirectory })).toBe(head)
  })

  it("publishes the work in a user's own checkout", async () => {
    const { identity, onRemote } = await project()
    const { connect } = new RepositoryAccess({
      keys: new DeployKeys({ directory: at('keys'), lock }),
      knownHosts: at('known_hosts'),
    })
    // A worker that has not fetched the repository yet.
    const repositories = new Repositories({
      mirrorsDir: at('mirrors2'),
      sharedDir: at('repos2'),
      objectStoresDir: at('objects2'),
      lock,
      connect,
    })
    await writeFile(at('other', 'mine.txt'), 'mine\n')
    const request = { directory: at('other'), branch: 'published' }
    expect(await repositories.work.publish(identity, request)).toMatchObject({ pushed: true, commits: 1 })
    expect(await onRemote('show', 'published:mine.txt')).toBe('mine')
    expect(await sh(at('other'), 'status', '--porcelain')).toBe('?? mine.txt')
  })

  it('runs no hooks of a local repository, and changes none of its checked-out files', async () => {
    await sh(root, 'init', '-q', '-b', 'main', at('local'))
    await commit(at('local'), 'a.txt')
    const hook = at('local', '.git', 'hooks', 'post-receive')
    await writeFile(hook, `#!/bin/sh\ntouch ${at('ran')}\n`)
    await chmod(hook, 0o755)
    await sh(at('local'), 'config', 'receive.denyCurrentBranch', 'updateInstead')
    const identity = parseRepositoryUrl(at('local'))
    const repositories = new Repositories({
      mirrorsDir: at('mirrors'),
      sharedDir: at('repos'),
      objectStoresDir: at('objects'),
      lock,
    })
    await repositories.fetch(identity)
    const directory = at('boxes', 'w')
    await repositories.addWorktree(identity, { directory, branch: 'work' })
    await commit(directory, 'b.txt')
    expect(await repositories.work.publish(identity, { directory, branch: 'published' })).toMatchObject({
      pushed: true,
    })
    await expect(repositories.work.publish(identity, { directory, branch: 'main' })).rejects.toMatchObject({
      code: 'push_rejected',
      message: expect.stringContaining('checked out'),
    })
    expect(existsSync(at('ran'))).toBe(false)
    expect(existsSync(at('local', 'b.txt'))).toBe(false)
  })
})

it('exportPatch returns commits, changes and binary files as a patch for the base commit', async () => {
  const { identity, repositories, directory, baseCommit } = await project()
  await commit(directory, 'b.txt')
  await writeFile(path.join(directory, 'image.bin'), Buffer.from([0, 1, 2, 255, 254]))
  await rm(path.join(directory, 'a.txt'))
  const objectDirs = await repositories.objectDirectories(identity, directory)
  await writeFile(at('work.patch'), await exportPatch({ directory, base: baseCommit, objectDirs }))
  await sh(at('other'), 'apply', at('work.patch'))
  expect(
    (await sh(at('other'), 'status', '--porcelain'))
      .split('\n')
      .map((line) => line.trim())
      .sort(),
  ).toEqual(['?? b.txt', '?? image.bin', 'D a.txt'])
  expect(await readFile(at('other', 'image.bin'))).toEqual(Buffer.from([0, 1, 2, 255, 254]))
})
