// `switchyard migrate` as a process against a running Switchyard: what it creates, continues after
// a kill, and undoes.

import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync } from 'node:fs'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { ProjectInfo, Sandbox, SandboxEntry } from '@switchyard/contracts'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { git, LegacyTreeFixture, server, v1, v2 } from '../../packages/cli/src/migrate/legacy-tree.fixture.ts'
import { connectMcp, type McpCaller } from './mcp-caller.ts'
import { type System, startSystem } from './system.ts'

const MAIN = fileURLToPath(new URL('../../packages/cli/src/main.ts', import.meta.url))
/**
 * Returns a port that nothing listens on and that the kernel does not assign to outgoing
 * connections.
 */
const freePort = async (): Promise<number> => {
  const probe = createServer()
  for (let port = 20_000 + (process.pid % 10_000); ; port += 1) {
    const isFree = await new Promise<boolean>((resolve) => {
      probe.once('error', () => resolve(false))
      probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)))
    })
    if (isFree) return port
  }
}

const KEY = 'kV2mWq8xTz4bN1rY-operator'

// Each test runs several processes, one after another.
describe('switchyard migrate', { timeout: 180_000 }, () => {
  let system: System
  let mcp: McpCaller
  let tree: LegacyTreeFixture

  beforeAll(async () => {
    system = await startSystem('postgres', { SWITCHYARD_API_KEYS: `ops:operator:${KEY},a:agent:mN7pQ2rS5tV8wX1y` })
    mcp = await connectMcp(system.url, { key: KEY })
  })

  afterAll(async () => {
    await mcp?.close()
    await system?.close()
  })

  beforeEach(async () => {
    tree = await LegacyTreeFixture.create()
  })

  afterEach(async () => {
    await tree.remove()
  })

  const start = (args: readonly string[], key = KEY): ChildProcess =>
    spawn(process.execPath, [MAIN, 'migrate', ...args, '--url', system.url], {
      cwd: tree.directory,
      env: { PATH: process.env.PATH, HOME: tree.directory, SWITCHYARD_API_KEY: key },
      stdio: ['ignore', 'pipe', 'pipe'],
    })

  const call = async (args: readonly string[], key = KEY) => {
    const child = start(args, key)
    let output = ''
    for (const stream of [child.stdout, child.stderr])
      stream?.setEncoding('utf8').on('data', (text) => (output += text))
    const [code] = await once(child, 'close')
    return { code, output }
  }

  const execute = (...more: string[]) =>
    call(['--from', tree.memory, '--execute', '--backup', tree.at('backup'), ...more])
  const undo = () => call(['--undo', tree.at('backup')])

  const project = async (url: string): Promise<ProjectInfo | undefined> =>
    (await mcp.call<{ projects: ProjectInfo[] }>('opencode_project_list')).projects.find(
      ({ git_url: found }) => found === url,
    )

  const sandboxes = async (url: string): Promise<readonly SandboxEntry[]> => {
    const id = (await project(url))?.project_id
    const answer = await fetch(`${system.url}/project/${id}/sandbox`, { headers: { authorization: `Bearer ${KEY}` } })
    return ((await answer.json()) as { sandboxes: SandboxEntry[] }).sandboxes
  }

  /** Creates two clones of one repository with work in both; one has a stash and a worktree. */
  const messyTree = async () => {
    const remote = await tree.remote('blog')
    const first = await tree.clone(remote, 'opencode-sandboxes/blog/repo')
    const second = await tree.clone(remote, 'opencode-sandboxes/Blog Dev/repo')
    await tree.write({ 'README.md': 'stashed\n' }, second)
    await git(second, 'stash', '-q')
    const head = await tree.commit(second, { 'b.txt': 'b\n' }, 'not pushed')
    await tree.write({ 'src/a.txt': 'two\n', 'new file.txt': 'new\n' }, second)
    await git(second, 'worktree', 'add', '-q', '-b', 'feature', path.join(tree.memory, 'worktrees/feature'), 'main')
    await tree.write({
      'opencode-state.json': {
        projects: { blog: v1('blog', remote, server(4101)), 'Blog Dev': v1('Blog Dev', remote, server(4102)) },
      },
      'opencode-manager.env': 'MCP_BEARER_TOKEN=example-token-of-callers\n',
    })
    return { remote, first, second, head }
  }

  it('transfers commits and changes after saving everything, and leaves the tree unchanged', async () => {
    const { remote, head } = await messyTree()
    const before = await tree.fingerprint()
    const { code, output } = await execute('--shared')
    expect([code, output]).toEqual([0, expect.stringContaining('to revert: switchyard migrate --undo')])
    expect(await tree.fingerprint()).toBe(before)

    const found = await sandboxes(remote)
    expect(found.map(({ name, branch }) => [name, branch]).toSorted()).toEqual([
      ['blog', 'migrated/blog'],
      ['blog-dev', 'migrated/blog-dev'],
      ['feature', 'migrated/feature'],
    ])
    const directory = found.find(({ name }) => name === 'blog-dev')?.path ?? ''
    expect(await git(directory, 'rev-parse', 'HEAD')).toBe(head)
    expect((await git(directory, 'status', '--porcelain')).split('\n').toSorted()).toEqual([
      ' M src/a.txt',
      '?? "new file.txt"',
    ])
    expect(await readFile(path.join(directory, 'new file.txt'), 'utf8')).toBe('new\n')

    const saved = tree.at('backup/saved-1')
    expect(await readFile(path.join(saved, 'state/opencode-state.json'), 'utf8')).toContain('Blog Dev')
    expect(await readFile(path.join(saved, 'switchyard.env'), 'utf8')).toContain('example-token-of-callers')
    const bundle = readdirSync(path.join(saved, 'clones')).find((name) => /blog-dev\.bundle$/.test(name)) ?? ''
    const { stdout } = await promisify(execFile)('git', ['bundle', 'list-heads', path.join(saved, 'clones', bundle)])
    for (const ref of ['refs/heads/main', 'refs/heads/feature', 'refs/switchyard/stash/0', 'refs/switchyard/worktree'])
      expect(stdout).toContain(ref)
  })

  it('repeats nothing on a second run, and undoes all of it', async () => {
    const { remote } = await messyTree()
    await execute('--shared')
    const again = await execute('--shared')
    expect([again.code, again.output.match(/was created by an earlier run/g)?.length]).toEqual([0, 3])
    const directories = (await sandboxes(remote)).map(({ path: directory }) => directory)
    const { code, output } = await undo()
    expect([code, output]).toEqual([0, expect.stringContaining('the migration is reverted')])
    expect(await project(remote)).toBeUndefined()
    expect(directories.filter((directory) => existsSync(directory))).toEqual([])
    expect(existsSync(tree.at('backup/saved-1'))).toBe(true)
  })

  it('continues after a kill', async () => {
    const { remote, head } = await messyTree()
    const child = start(['--from', tree.memory, '--execute', '--shared', '--backup', tree.at('backup')])
    if (!child.stdout) throw new Error('no output')
    for await (const line of createInterface({ input: child.stdout }))
      if (line.startsWith('done')) child.kill('SIGKILL')
    const { code } = await execute('--shared')
    expect(code).toBe(0)
    const found = await sandboxes(remote)
    expect(found).toHaveLength(3)
    expect(found.find(({ name }) => name === 'blog-dev')?.state).toMatchObject({ head, dirty: 2 })
    expect((await undo()).code).toBe(0)
  })

  it('undoes neither a sandbox that was changed since nor a project that existed before', async () => {
    const { remote } = await messyTree()
    const { project_id: id } = await mcp.call<{ project_id: string }>('opencode_project_start', { git_url: remote })
    await execute('--shared')
    const directory = (await sandboxes(remote)).find(({ name }) => name === 'blog-dev')?.path ?? ''
    await writeFile(path.join(directory, 'mine.txt'), 'mine')
    const { code, output } = await undo()
    expect([code, output]).toEqual([3, expect.stringMatching(/LEFT {2}sandbox blog-dev .* stays/)])
    expect((await sandboxes(remote)).map(({ name }) => name)).toEqual(['blog-dev'])
    expect((await project(remote))?.project_id).toBe(id)
    await rm(path.join(directory, 'mine.txt'))
    expect((await undo()).code).toBe(0)
    expect(await project(remote)).toMatchObject({ worktrees: [] })
  })

  it('undoes no sandbox that existed before, whatever its name', async () => {
    const { remote } = await messyTree()
    const { project_id: id } = await mcp.call<{ project_id: string }>('opencode_project_start', { git_url: remote })
    const theirs = { git_url: remote, name: 'blog-dev', branch: 'theirs' }
    const { path: directory } = await mcp.call<Sandbox>('opencode_sandbox_create', theirs)
    const ours = { git_url: remote, name: 'feature', branch: 'migrated/feature' }
    await mcp.call('opencode_sandbox_create', ours)
    const { code, output } = await execute('--shared')
    expect([code, output]).toEqual([3, expect.stringMatching(/LEFT {2}sandbox blog-dev .* on branch theirs/)])
    const undone = await undo()
    expect([undone.code, undone.output]).toEqual([
      0,
      expect.stringMatching(/sandbox blog-dev .* existed before the migration and stays/),
    ])
    expect((await sandboxes(remote)).map(({ name }) => name).toSorted()).toEqual(['blog-dev', 'feature'])
    expect(existsSync(directory)).toBe(true)
    expect((await project(remote))?.project_id).toBe(id)
  })

  it('undoes a sandbox that it created without an import, but not one that it only planned to create', async () => {
    const remote = await tree.remote('blog')
    const { project_id: id } = await mcp.call<{ project_id: string }>('opencode_project_start', { git_url: remote })
    for (const name of ['made', 'meant']) await mcp.call('opencode_sandbox_create', { git_url: remote, name })
    const about = { project_id: id, existed: false }
    const steps = [
      { step: 'begun', from: tree.memory, url: system.url },
      { step: 'project', key: remote, git_url: remote, existed: true },
      { step: 'registered', key: remote, project_id: id },
      { step: 'sandbox', name: 'made', ...about },
      { step: 'made', name: 'made', ...about },
      { step: 'sandbox', name: 'meant', ...about },
    ]
    await mkdir(tree.at('backup'))
    await writeFile(tree.at('backup/journal.jsonl'), steps.map((step) => `${JSON.stringify(step)}\n`).join(''))
    const { code, output } = await undo()
    expect([code, output]).toEqual([3, expect.stringMatching(/LEFT {2}sandbox meant .* stays: .*no import/)])
    expect((await sandboxes(remote)).map(({ name }) => name)).toEqual(['meant'])
  })

  it("keeps the port and the password of a project's server", async () => {
    const remote = await tree.remote('served')
    await tree.clone(remote, 'opencode-sandboxes/served/repo')
    const port = await freePort()
    await tree.write({
      'opencode-state.json': { projects: { served: v1('served', remote, server(port)) } },
      'opencode-sandboxes/served/.env': 'OPENCODE_SERVER_PASSWORD=example-password\n',
    })
    const { code, output } = await execute()
    expect([code, output]).toEqual([0, expect.stringContaining('keeps its password')])
    expect(output).not.toContain('example-password')
    await vi.waitFor(
      async () => {
        const authorization = `Basic ${btoa('opencode:example-password')}`
        const answer = await fetch(`http://127.0.0.1:${port}/global/health`, {
          headers: { authorization },
          // A server that is starting may accept a call without answering it.
          signal: AbortSignal.timeout(2_000),
        })
        expect(answer.status).toBe(200)
      },
      { timeout: 60_000, interval: 200 },
    )
    expect((await fetch(`http://127.0.0.1:${port}/global/health`)).status).toBe(401)
    expect((await undo()).code).toBe(0)
    expect(await project(remote)).toBeUndefined()
  })

  it('changes nothing of a project that was registered before, and reports what it did not transfer', async () => {
    const remote = await tree.remote('served')
    await tree.clone(remote, 'opencode-sandboxes/served/repo')
    const settings = { git_url: remote, name: 'mine', model: 'mine/model' }
    const { project_id: id } = await mcp.call<{ project_id: string }>('opencode_project_start', settings)
    const port = await freePort()
    await tree.write({
      'opencode-state.json': { projects: { served: v1('served', remote, server(port)) } },
      'opencode-mcp-tool-servers.json': {
        version: '2.0',
        servers: [{ id: 'served', backend_type: 'opencode', model: 'theirs/model', password: 'example-password' }],
      },
    })
    const { code, output } = await execute()
    expect([code, output]).toEqual([
      0,
      expect.stringMatching(
        new RegExp(`keeps its settings. Not applied: .*port ${port}, the password .*, the model theirs/model`),
      ),
    ])
    const as = { project_id: id, name: 'mine', model: 'mine/model', isolation: 'shared' }
    expect(await project(remote)).toMatchObject(as)
    expect((await undo()).code).toBe(0)
    expect(await project(remote)).toMatchObject(as)
  })

  it('continues with the other projects when one fails, and reports it', async () => {
    const remote = await tree.remote('good')
    await tree.clone(remote, 'opencode-sandboxes/good/repo')
    const nowhere = tree.at('remotes/nowhere')
    await tree.write({
      'opencode-state.json': {
        projects: { bad: v2(nowhere, 'x', server(4102)), good: v2(remote, 'opencode-sandboxes/good/repo') },
      },
    })
    const { code, output } = await execute('--shared')
    expect([code, output]).toEqual([3, expect.stringMatching(/LEFT {2}\S*nowhere /)])
    expect(await project(remote)).toMatchObject({ status: 'ready' })
    expect((await undo()).code).toBe(0)
  })

  it('writes nothing when the key is wrong or missing, or when a directory is inside the tree', async () => {
    await messyTree()
    const before = await tree.fingerprint(tree.directory)
    const wrong = await call(['--from', tree.memory, '--execute'], 'another-key-that-is-long')
    expect(wrong).toMatchObject({ code: 1, output: expect.stringContaining('SWITCHYARD_API_KEY') })
    expect((await call(['--from', tree.memory, '--execute'], '')).code).toBe(1)
    const inside = await call(['--from', tree.memory, '--execute', '--backup', path.join(tree.memory, 'backup')])
    expect(inside).toMatchObject({ code: 2, output: expect.stringContaining('must stay unchanged') })
    expect(await tree.fingerprint(tree.directory)).toBe(before)
  })
})
