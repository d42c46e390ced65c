// Tests tokens against a real https server in front of git.

import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { type GitHttps, startGitHttps } from '@switchyard/testing'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { git } from '../command/run.ts'
import { parseRepositoryUrl } from '../identity/identity.ts'
import { Repositories } from '../repositories.ts'
import { checkAccess } from './check-access.ts'
import { DeployKeys } from './deploy-keys.ts'
import { RepositoryAccess } from './repository-access.ts'

const run = promisify(execFile)
const TOKEN = 'token-Zq81-of-a-private-repository'

let root: string
let server: GitHttps
const at = (...names: string[]) => path.join(root, ...names)
const lock = <T>(_name: string, work: () => Promise<T>): Promise<T> => work()

const worker = (token: string | null = TOKEN) => {
  const keys = new DeployKeys({ directory: at('keys'), lock })
  const access = new RepositoryAccess({
    keys,
    knownHosts: at('known_hosts'),
    tokens: token === null ? [] : [{ host: `localhost:${server.port}`, user: undefined, token }],
    environment: { GIT_SSL_CAINFO: server.caFile, HOME: root },
  })
  const identity = parseRepositoryUrl(server.url('r.git'))
  const { connect } = access
  const repositories = new Repositories({
    mirrorsDir: at('mirrors'),
    sharedDir: at('repos'),
    objectStoresDir: at('objects'),
    lock,
    connect,
  })
  return { identity, repositories, connect, check: () => checkAccess(access, keys, identity) }
}

beforeEach(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'switchyard-https-'))
  await run('git', ['init', '-q', '-b', 'main', at('work')])
  const who = ['-c', 'user.name=T', '-c', 'user.email=t@t']
  await run('git', ['-C', at('work'), ...who, 'commit', '-q', '--allow-empty', '-m', 'begin'])
  await run('git', ['clone', '-q', '--bare', at('work'), at('served', 'r.git')])
  server = await startGitHttps({ directory: at('tls'), root: at('served'), user: 'x-access-token', token: TOKEN })
})

afterEach(async () => {
  await server.close()
  await rm(root, { recursive: true, force: true })
})

describe('a token', () => {
  it('gives access to the repository, and is stored in no file', async () => {
    const { identity, repositories, check } = worker()
    expect(await check()).toMatchObject({ status: 'ok' })
    await repositories.fetch(identity)
    await repositories.addWorktree(identity, { directory: at('t'), branch: 'x' })
    const { stdout } = await run('grep', ['-rla', TOKEN, at('mirrors'), at('repos'), at('t')]).catch((error) => error)
    expect(stdout).toBe('')
  })

  it('appears in no argument list of the processes that git starts', async () => {
    const { identity, connect } = worker()
    const { url, env, config } = await connect(identity)
    const { stdout } = await git(['ls-remote', '--', url], { env: { ...env, GIT_TRACE: at('trace') }, config })
    expect(stdout.toString()).toContain('refs/heads/main')
    const trace = await readFile(at('trace'), 'utf8')
    expect(trace).toMatch(/run_command: .*SWITCHYARD_GIT_TOKEN/)
    expect(trace).not.toContain(TOKEN)
  })

  it('is reported as denied when it is wrong or missing, and does not appear in the report', async () => {
    for (const token of ['wrong-token-Zq82', null]) {
      const found = await worker(token).check()
      expect(found).toMatchObject({ status: 'denied', error: { code: 'repository_access_denied' } })
      expect(JSON.stringify(found) + String(found.status !== 'ok' && found.error)).not.toContain('Zq8')
    }
  })

  it('is reported as denied when the repository does not exist, because forges hide the difference', async () => {
    await rm(at('served', 'r.git'), { recursive: true })
    expect(await worker().check()).toMatchObject({ status: 'denied' })
  })

  it('publishes work, and the error for a read-only token says that write access is missing', async () => {
    const { identity, repositories } = worker()
    await repositories.fetch(identity)
    const directory = at('t')
    await repositories.addWorktree(identity, { directory, branch: 'x' })
    await writeFile(path.join(directory, 'a.txt'), 'a\n')
    expect(await repositories.work.publish(identity, { directory, branch: 'x' })).toMatchObject({
      pushed: true,
      commits: 1,
    })
    const { stdout } = await run('git', ['-C', at('served', 'r.git'), 'show', 'x:a.txt'])
    expect(stdout).toBe('a\n')
    server.refuseWrites()
    await writeFile(path.join(directory, 'b.txt'), 'b\n')
    await expect(repositories.work.publish(identity, { directory, branch: 'x' })).rejects.toMatchObject({
      code: 'repository_access_denied',
      hint: expect.stringContaining('a token that may push'),
    })
  })

  it('is never sent to another host after a redirect', async () => {
    const other = await startGitHttps({
      directory: at('other'),
      root: at('served'),
      user: 'x-access-token',
      token: TOKEN,
    })
    try {
      await run('sh', ['-c', `cat ${other.caFile} >> ${server.caFile}`])
      server.redirectTo(`https://127.0.0.1:${other.port}`)
      expect(await worker().check()).toMatchObject({ status: 'denied' })
      expect(other.requests.length).toBeGreaterThan(0)
      expect(other.requests.filter(({ authorization }) => authorization !== undefined)).toEqual([])
    } finally {
      await other.close()
    }
  })
})
