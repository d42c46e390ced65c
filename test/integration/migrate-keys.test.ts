// `switchyard migrate` with deploy keys, against a real sshd: a project continues with the key that
// it had.

import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { DeployKey, ProjectInfo, Sandbox } from '@switchyard/contracts'
import { type GitSsh, startGitSsh } from '@switchyard/testing'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { LegacyTreeFixture, v1, v2 } from '../../packages/cli/src/migrate/legacy-tree.fixture.ts'
import { connectMcp, type McpCaller } from './mcp-caller.ts'
import { git } from './repository.ts'
import { type System, startSystem } from './system.ts'

const MAIN = fileURLToPath(new URL('../../packages/cli/src/main.ts', import.meta.url))
const run = promisify(execFile)

// Each test runs several processes, one after another.
describe('switchyard migrate, with deploy keys', { timeout: 180_000 }, () => {
  let directory: string
  let system: System
  let ssh: GitSsh
  let mcp: McpCaller
  let tree: LegacyTreeFixture

  beforeAll(async () => {
    directory = await mkdtemp(path.join(tmpdir(), 'switchyard-test-migrate-keys-'))
    ssh = await startGitSsh(path.join(directory, 'sshd'))
    system = await startSystem('postgres')
    await writeFile(path.join(system.home, 'known_hosts'), await ssh.knownHost())
    mcp = await connectMcp(system.url)
  })

  afterAll(async () => {
    await mcp?.close()
    await system?.close()
    await ssh?.close()
    await rm(directory, { recursive: true, force: true })
  })

  beforeEach(async () => {
    tree = await LegacyTreeFixture.create()
  })

  afterEach(async () => {
    await ssh.denyAll()
    await tree.remove()
  })

  const migrate = async (...args: string[]): Promise<{ readonly code: number; readonly output: string }> => {
    const all = [MAIN, 'migrate', ...args, '--url', system.url]
    const env = { PATH: process.env.PATH, HOME: tree.directory }
    const result = await run(process.execPath, all, { cwd: tree.directory, env }).then(
      ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
      (error: { code: number; stdout: string; stderr: string }) => error,
    )
    return { code: result.code, output: result.stdout + result.stderr }
  }
  const execute = () => migrate('--from', tree.memory, '--execute', '--shared', '--backup', tree.at('backup'))
  const undo = () => migrate('--undo', tree.at('backup'))

  const makeKey = async (file: string): Promise<string> => {
    await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'of the older manager', '-f', file])
    return (await readFile(`${file}.pub`, 'utf8')).trim()
  }

  /** Creates a repository on the sshd, and a clone whose remote is its ssh URL. */
  const cloned = async (name: string, directory: string) => {
    const repository = await tree.remote(name)
    const clone = await tree.clone(repository, directory)
    const url = ssh.url(repository)
    await git(clone, 'remote', 'set-url', 'origin', url)
    return { repository, clone, url }
  }

  const projects = async (): Promise<readonly ProjectInfo[]> =>
    (await mcp.call<{ projects: ProjectInfo[] }>('opencode_project_list')).projects

  it('registers a project with its deploy key, which can fetch', async () => {
    const { repository, url } = await cloned('blog', 'opencode-sandboxes/blog/repo')
    await tree.write({
      'opencode-state.json': { projects: { blog: v1('blog', url) } },
      'opencode-keys/.keep': '',
    })
    const file = path.join(tree.memory, 'opencode-keys/blog-deploy')
    const publicKey = await makeKey(file)
    await ssh.allow(publicKey, repository, 'read')
    const before = await tree.fingerprint()
    const { code, output } = await execute()
    expect([code, output]).toEqual([0, expect.stringMatching(/done {2}\S*blog has its deploy key/)])
    expect(await tree.fingerprint()).toBe(before)
    const secret = (await readFile(file, 'utf8')).split('\n')[1] ?? 'none'
    expect(output).not.toContain(secret)

    const key = await mcp.call<DeployKey>('opencode_get_deploy_key', { git_url: url })
    expect(key.public_key).toBe(publicKey)
    await tree.commit(repository, { 'later.txt': 'later\n' }, 'later')
    const sandbox = await mcp.call<Sandbox>('opencode_sandbox_create', { git_url: url, name: 'new' })
    expect(await readFile(path.join(sandbox.path, 'later.txt'), 'utf8')).toBe('later\n')

    await mcp.call('opencode_sandbox_delete', { git_url: url, name: 'new' })
    expect(await undo()).toMatchObject({ code: 0 })
    expect(await projects()).toEqual([])
    expect(existsSync(file)).toBe(true)
  })

  it('explains what to do when the host rejects the key, and continues once it accepts it', async () => {
    const { repository, url } = await cloned('shop', 'opencode-sandboxes/shop/repo')
    await tree.write({
      'opencode-state.json': { projects: { shop: v1('shop', url) } },
      'opencode-keys/.keep': '',
    })
    const publicKey = await makeKey(path.join(tree.memory, 'opencode-keys/shop-deploy'))
    const first = await execute()
    expect([first.code, first.output]).toEqual([
      3,
      expect.stringMatching(/LEFT {2}\S*shop waits until the host accepts its key/),
    ])
    expect(first.output).toContain(publicKey)
    expect(first.output).toContain('opencode_project_start')
    expect(first.output).toContain('run the command again')
    expect(await projects()).toMatchObject([{ git_url: url, status: 'waiting_for_key' }])

    await ssh.allow(publicKey, repository, 'read')
    const again = await execute()
    expect([again.code, again.output]).toEqual([0, expect.stringContaining('is registered')])
    expect(await projects()).toMatchObject([{ git_url: url, status: 'ready' }])
    expect(await undo()).toMatchObject({ code: 0 })
    expect(await projects()).toEqual([])
  })

  it('keeps the key of a registered project that is accessible, and replaces the key of one that waits', async () => {
    const [mine, hers] = [await cloned('mine', tree.at('mine')), await cloned('hers', tree.at('hers'))]
    const before: string[] = []
    for (const { url } of [mine, hers]) {
      await mcp.call('opencode_project_start', { git_url: url })
      before.push((await mcp.call<DeployKey>('opencode_get_deploy_key', { git_url: url })).public_key)
    }
    await ssh.allow(before[0] ?? '', mine.repository, 'read')
    await mcp.call('opencode_project_start', { git_url: mine.url })
    expect((await projects()).map(({ status }) => status).toSorted()).toEqual(['ready', 'waiting_for_key'])

    const former = [await makeKey(tree.at('my-key')), await makeKey(tree.at('her-key'))]
    for (const [at, { repository }] of [mine, hers].entries()) await ssh.allow(former[at] ?? '', repository, 'read')
    await tree.write({
      'opencode-state.json': {
        projects: {
          [mine.url]: v2(mine.url, mine.clone, { ssh_key_path: tree.at('my-key') }),
          [hers.url]: v2(hers.url, hers.clone, { ssh_key_path: tree.at('her-key') }),
        },
      },
    })
    const { output } = await execute()
    expect(output).toMatch(/mine was registered before and is accessible, so it keeps its key/)
    expect(output).toMatch(/done {2}\S*hers uses the key/)
    const keys: string[] = []
    for (const { url } of [mine, hers])
      keys.push((await mcp.call<DeployKey>('opencode_get_deploy_key', { git_url: url })).public_key)
    expect(keys).toEqual([before[0], former[1]])
    expect(await undo()).toMatchObject({
      code: 0,
      output: expect.stringMatching(/hers was registered before the migration and stays, with the migrated key/),
    })
    for (const { url } of [mine, hers]) await mcp.call('opencode_project_destroy', { git_url: url })
  })

  it("uses an operator's own checkout and key where they are", async () => {
    const own = tree.at('own')
    const { repository, url } = await cloned('mine', own)
    const file = tree.at('my-key')
    await ssh.allow(await makeKey(file), repository, 'read')
    await tree.write({ 'not-committed.txt': 'mine\n' }, own)
    await tree.write({
      'opencode-state.json': { projects: { [url]: v2(url, own, { ssh_key_path: file }) } },
    })
    expect(await execute()).toMatchObject({ code: 0, output: expect.stringContaining(`key ${file}, used where it is`) })
    expect(await projects()).toMatchObject([{ git_url: url, status: 'ready', base_dir: own, worktrees: [] }])
    expect(await readFile(path.join(own, 'not-committed.txt'), 'utf8')).toBe('mine\n')
    const { status } = await mcp.call<ProjectInfo>('opencode_project_restart', { git_url: url })
    expect(status).toBe('ready')
    expect(await undo()).toMatchObject({ code: 0 })
    expect(await projects()).toEqual([])
    expect(await readFile(path.join(own, 'not-committed.txt'), 'utf8')).toBe('mine\n')
    expect(existsSync(file)).toBe(true)
  })
})
