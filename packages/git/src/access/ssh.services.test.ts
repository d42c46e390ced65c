// Tests deploy keys against a real sshd that restricts each key to one repository.

import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { type GitSsh, startGitSsh } from '@switchyard/testing'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createLock } from '../git.fixture.ts'
import { parseRepositoryUrl } from '../identity/identity.ts'
import { Repositories } from '../repositories.ts'
import { checkAccess } from './check-access.ts'
import { DeployKeys } from './deploy-keys.ts'
import { RepositoryAccess } from './repository-access.ts'

const run = promisify(execFile)

let base: string
let root: string
let server: GitSsh
const at = (...names: string[]) => path.join(root, ...names)

const lock = createLock()

const bareRepository = async (name: string): Promise<string> => {
  const directory = at(name)
  await run('git', ['init', '-q', '--bare', '-b', 'main', directory])
  const tree = (await run('git', ['-C', directory, 'hash-object', '-w', '-t', 'tree', '/dev/null'])).stdout.trim()
  const who = ['-c', 'user.name=T', '-c', 'user.email=t@t']
  const commit = (await run('git', ['-C', directory, ...who, 'commit-tree', tree, '-m', 'begin'])).stdout.trim()
  await run('git', ['-C', directory, 'update-ref', 'refs/heads/main', commit])
  return directory
}

/** Creates a worker whose state directory has characters that a shell or ssh might interpret. */
const worker = async (options: { readonly trustNewHosts?: boolean; readonly knows?: boolean } = {}) => {
  const home = at(`home of 'a' "b" 100%`)
  await mkdir(home, { recursive: true })
  if (options.knows ?? true) await writeFile(path.join(home, 'known_hosts'), await server.knownHost())
  const keys = new DeployKeys({ directory: path.join(home, 'keys'), lock })
  const knownHosts = path.join(home, 'known_hosts')
  const access = new RepositoryAccess({ keys, knownHosts, trustNewHosts: options.trustNewHosts ?? false })
  const repositories = new Repositories({
    mirrorsDir: at('mirrors'),
    sharedDir: at('repos'),
    objectStoresDir: at('objects'),
    lock,
    connect: access.connect,
  })
  return {
    home,
    keys,
    access,
    repositories,
    check: (url: string) => checkAccess(access, keys, parseRepositoryUrl(url)),
  }
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
  root = await mkdtemp(path.join(tmpdir(), 'switchyard-keys-'))
  await server.denyAll()
})

afterEach(async () => {
  await rm(root, { recursive: true, force: true })
})

describe('a deploy key', () => {
  it('is generated once by concurrent callers, and is readable only by its owner', async () => {
    const { home, keys } = await worker()
    const identity = parseRepositoryUrl('git@github.com:Acme/Web.git')
    // Stands for a second process; the lock is shared, as between processes.
    const others = new DeployKeys({ directory: path.join(home, 'keys'), lock })
    const keysOfAll = await Promise.all([keys, others, keys, others].map((each) => each.ensure(identity)))
    expect(new Set(keysOfAll.map((key) => key.fingerprint)).size).toBe(1)
    const [key] = keysOfAll
    expect(key?.publicKey).toMatch(/^ssh-ed25519 \S+ switchyard:github\.com\/acme\/web$/)
    const listed = await run('ssh-keygen', ['-lf', key?.path ?? ''])
    expect(listed.stdout).toContain(key?.fingerprint)
    expect((await stat(key?.path ?? '')).mode & 0o777).toBe(0o600)
    expect((await stat(path.dirname(key?.path ?? ''))).mode & 0o777).toBe(0o700)
    expect((await stat(path.join(home, 'keys'))).mode & 0o777).toBe(0o700)
    expect((await readdir(path.dirname(key?.path ?? ''))).sort()).toEqual(['id_ed25519', 'id_ed25519.pub'])
    const secret = (await readFile(key?.path ?? '', 'utf8')).split('\n')[3]
    expect(JSON.stringify(keysOfAll)).not.toContain(secret)
  })

  it('is reported as denied until the host accepts it, and gives access to no other repository', async () => {
    const { keys, check, repositories } = await worker()
    const [one, other] = [await bareRepository('one.git'), await bareRepository('other.git')]
    const url = server.url(one)
    const { publicKey } = await keys.ensure(parseRepositoryUrl(url))
    expect(await check(url)).toMatchObject({ status: 'denied', error: { code: 'repository_access_denied' } })
    await server.allow(publicKey, one, 'read')
    expect(await check(url)).toEqual({ status: 'ok', isEmpty: false, isFormerKey: false })
    const identity = parseRepositoryUrl(url)
    await repositories.fetch(identity)
    await repositories.addWorktree(identity, { directory: at('t'), branch: 'x' })
    expect(existsSync(at('t', '.git'))).toBe(true)
    await keys.ensure(parseRepositoryUrl(server.url(other)))
    expect(await check(server.url(other))).toMatchObject({ status: 'denied' })
  })

  it("is the only key that ssh uses, without the user's agent and configuration", async () => {
    const { keys, access } = await worker()
    const identity = parseRepositoryUrl(server.url(await bareRepository('one.git')))
    await keys.ensure(identity)
    const { env } = await access.connect(identity)
    expect(env.GIT_SSH_COMMAND).toMatch(/^ssh -F \/dev\/null /)
    for (const option of ['IdentitiesOnly=yes', 'IdentityAgent=none', 'BatchMode=yes', 'StrictHostKeyChecking=yes'])
      expect(env.GIT_SSH_COMMAND).toContain(` -o ${option} `)
  })

  it('can be replaced by a given key of any type and line ending', async () => {
    const { keys, check } = await worker()
    const repository = await bareRepository('one.git')
    const url = server.url(repository)
    const identity = parseRepositoryUrl(url)
    const generate = (name: string, ...more: string[]) => run('ssh-keygen', ['-q', '-f', at(name), ...more])
    await generate('rsa', '-t', 'rsa', '-b', '2048', '-N', '')
    await generate('locked', '-t', 'ed25519', '-N', 'a passphrase')
    const before = await keys.ensure(identity)
    const refused = async (text: string, why: RegExp) =>
      await expect(keys.put(identity, text)).rejects.toMatchObject({
        code: 'deploy_key_invalid',
        message: expect.stringMatching(why),
      })
    await refused(await readFile(at('locked'), 'utf8'), /^the given key has a passphrase/)
    await refused('no key', /^the given key is not a private ssh key/)
    expect(await keys.find(identity)).toEqual(before)

    const key = await keys.put(identity, (await readFile(at('rsa'), 'utf8')).trimEnd().replaceAll('\n', '\r\n'))
    expect(key.publicKey).toBe((await readFile(at('rsa.pub'), 'utf8')).trim())
    expect((await stat(key.path)).mode & 0o777).toBe(0o600)
    await server.allow(key.publicKey, repository, 'read')
    expect(await check(url)).toMatchObject({ status: 'ok', isFormerKey: false })
    expect(await keys.identityFiles(identity)).toEqual([key.path])
  })

  it('stays in use during a rotation until the host accepts the new one', async () => {
    const { keys, check, repositories } = await worker()
    const repository = await bareRepository('one.git')
    const url = server.url(repository)
    const identity = parseRepositoryUrl(url)
    const first = await keys.ensure(identity)
    await server.allow(first.publicKey, repository, 'read')
    await check(url)
    // The second key is never accepted, so it must not replace the first as the former key.
    const second = await keys.rotate(identity)
    const third = await keys.rotate(identity)
    expect(new Set([first.fingerprint, second.fingerprint, third.fingerprint]).size).toBe(3)
    expect(await check(url)).toMatchObject({ status: 'ok', isFormerKey: true })
    await repositories.fetch(identity)
    await server.allow(third.publicKey, repository, 'read')
    expect(await check(url)).toMatchObject({ status: 'ok', isFormerKey: false })
    expect(await keys.identityFiles(identity)).toEqual([third.path])
    expect(await keys.find(identity)).toEqual(third)
  })

  it('can be a key file of the user, which is not copied or removed', async () => {
    const { keys, check } = await worker()
    const repository = await bareRepository('one.git')
    const identity = parseRepositoryUrl(server.url(repository))
    await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'me@home', '-f', at('mine')])
    const adopted = await keys.adopt(identity, at('mine'))
    expect(adopted).toMatchObject({ source: 'adopted', path: at('mine') })
    expect(await keys.ensure(identity)).toEqual(adopted)
    await server.allow(adopted.publicKey, repository, 'read')
    expect(await check(server.url(repository))).toMatchObject({ status: 'ok' })
    await keys.rotate(identity)
    expect(await check(server.url(repository))).toMatchObject({ status: 'ok', isFormerKey: true })
    await keys.remove(identity)
    expect(await keys.find(identity)).toBeUndefined()
    expect(existsSync(at('mine'))).toBe(true)
  })

  it('is refused with what to fix when the key file of the user cannot be used', async () => {
    const { keys } = await worker()
    const identity = parseRepositoryUrl('git@h.example:o/r')
    await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', 'a passphrase', '-f', at('locked')])
    await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', at('open')])
    await chmod(at('open'), 0o644)
    await writeFile(at('text'), 'no key', { mode: 0o600 })
    const ours = await keys.ensure(parseRepositoryUrl('git@h.example:other/r'))
    for (const [file, why] of [
      [at('locked'), 'passphrase'],
      [at('open'), 'chmod 600'],
      [at('text'), 'is not a private ssh key'],
      [at('missing'), 'does not exist'],
      [root, 'is not a private key file'],
      ['mine', 'absolute'],
      [ours.path, 'is one of Switchyard'],
    ] as const)
      await expect(keys.adopt(identity, file)).rejects.toMatchObject({
        code: 'deploy_key_invalid',
        message: expect.stringContaining(why),
      })
    expect(await keys.find(identity)).toBeUndefined()
  })
})

describe('the host key', () => {
  it('is refused when it is unknown', async () => {
    const { keys, check } = await worker({ knows: false })
    const url = server.url(await bareRepository('one.git'))
    await keys.ensure(parseRepositoryUrl(url))
    const found = await check(url)
    expect(found).toMatchObject({ status: 'host_key_unknown', error: { code: 'host_key_unknown' } })
    expect(found.status !== 'ok' && found.error.message).toContain(`[127.0.0.1]:${server.port}`)
  })

  it('is accepted on first contact when that is allowed, and must not change afterwards', async () => {
    const { home, keys, check } = await worker({ knows: false, trustNewHosts: true })
    const repository = await bareRepository('one.git')
    const url = server.url(repository)
    const { publicKey } = await keys.ensure(parseRepositoryUrl(url))
    await server.allow(publicKey, repository, 'read')
    expect(await check(url)).toMatchObject({ status: 'ok' })
    const [, , blob] = (await server.knownHost()).split(' ')
    expect(await readFile(path.join(home, 'known_hosts'), 'utf8')).toContain(blob)
    await server.replaceHostKey()
    const found = await check(url)
    expect(found).toMatchObject({ status: 'host_key_changed', error: { code: 'host_key_changed' } })
    expect(found.status !== 'ok' && found.error.message).toMatch(/Host key for \S+ has changed; its key is SHA256:/)
  })

  it('is not checked on a host that does not answer, which is reported as unreachable', async () => {
    const { keys, check } = await worker()
    const url = 'ssh://git@127.0.0.1:1/o/r'
    await keys.ensure(parseRepositoryUrl(url))
    expect(await check(url)).toMatchObject({ status: 'unreachable', error: { retryable: true } })
  })
})

describe('RepositoryAccess.connect', () => {
  it('uses ssh for an https URL once the repository has a deploy key', async () => {
    const { keys, access } = await worker()
    for (const [url, ssh] of [
      ['https://github.com/Acme/Web.git', 'ssh://git@github.com/Acme/Web.git'],
      ['https://dev.azure.com/org/project/_git/repo', 'ssh://git@ssh.dev.azure.com/v3/org/project/repo'],
    ] as const) {
      const identity = parseRepositoryUrl(url)
      expect((await access.connect(identity)).url).toBe(url)
      await keys.ensure(identity)
      expect((await access.connect(identity)).url).toBe(ssh)
      expect(parseRepositoryUrl(ssh).key).toBe(identity.key)
    }
  })
})
