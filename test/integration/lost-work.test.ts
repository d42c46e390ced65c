// Forced removal saves all work in bundles first, whatever the agent did to it; what no bundle
// holds is not removed.

import { existsSync } from 'node:fs'
import { mkdtemp, readdir, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { DestroyedProject, Sandbox, SandboxChanged, StartedProject } from '@switchyard/contracts'
import { parseRepositoryUrl } from '@switchyard/git'
import { Records } from '@switchyard/records'
import { script } from '@switchyard/testing'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { connectMcp, type McpCaller } from './mcp-caller.ts'
import { git, makeRepository } from './repository.ts'
import { type System, startSystem } from './system.ts'

let system: System
let repositories: string
let mcp: McpCaller
let number = 0

beforeAll(async () => {
  repositories = await mkdtemp(path.join(tmpdir(), 'switchyard-test-repositories-'))
  system = await startSystem('postgres')
  mcp = await connectMcp(system.url)
})

afterAll(async () => {
  await mcp?.close()
  await system?.close()
  await rm(repositories, { recursive: true, force: true })
})

/** Starts a project with a sandbox. */
const project = async () => {
  number += 1
  const origin = await makeRepository(path.join(repositories, `r${number}`), { 'a.txt': 'a\n' })
  const git_url = `file://${origin}`
  const start = () => mcp.call<StartedProject>('opencode_project_start', { git_url })
  const { base_dir: base, project_id: id } = await start()
  const create = (name: string, more: object = {}) =>
    mcp.call<Sandbox>('opencode_sandbox_create', { git_url, name, ...more })
  const { path: sandbox } = await create('s')
  const commit = async (directory: string, file: string) => {
    await writeFile(path.join(directory, file), `${file}\n`)
    await git(directory, 'add', file)
    await git(directory, 'commit', '--quiet', '--message', file)
  }
  const change = (how: 'delete' | 'reset', args: object = {}) =>
    mcp.call<SandboxChanged>(`opencode_sandbox_${how}`, { git_url, name: 's', ...args })
  const destroy = (args: object = {}) => mcp.call<DestroyedProject>('opencode_project_destroy', { git_url, ...args })
  const saved = async (bundle: string | null | undefined, ref: string, file: string) => {
    await git(origin, 'fetch', '--quiet', bundle ?? 'no bundle', `+${ref}:refs/saved`)
    return await git(origin, 'show', `refs/saved:${file}`)
  }
  return { origin, git_url, id, base: base ?? '', sandbox, start, create, commit, change, destroy, saved }
}

/** A test may start and destroy several projects. */
const LONG_MS = 3 * 60_000

describe('forced removal of a sandbox', { timeout: LONG_MS }, () => {
  it('saves the files of a branch without a commit, and the branch that the sandbox was created on', async () => {
    const { sandbox, commit, change, saved } = await project()
    await commit(sandbox, 'done.txt')
    await git(sandbox, 'checkout', '--quiet', '--orphan', 'pages')
    await writeFile(path.join(sandbox, 'page.html'), 'page\n')
    await expect(change('delete')).rejects.toThrow(/work_would_be_lost/)
    const { bundle } = await change('delete', { force: true })
    expect(await saved(bundle, 'refs/switchyard/worktree', 'page.html')).toBe('page')
    expect(await saved(bundle, 'refs/heads/sandbox/s', 'done.txt')).toBe('done.txt')
    expect(existsSync(sandbox)).toBe(false)
  })

  it('saves the commits of the branch on a reset while another commit is checked out', async () => {
    const { sandbox, commit, change, saved } = await project()
    await commit(sandbox, 'done.txt')
    await git(sandbox, 'checkout', '--quiet', '--detach', 'origin/main')
    await expect(change('reset')).rejects.toThrow(/work_would_be_lost.*1 unpushed commit/)
    const { bundle } = await change('reset', { force: true })
    expect(existsSync(path.join(sandbox, 'done.txt'))).toBe(false)
    expect(await saved(bundle, 'refs/heads/sandbox/s', 'done.txt')).toBe('done.txt')
  })

  it('saves the work when the agent removed the .git file, for a sandbox and for a project', async () => {
    const { sandbox, base, commit, change, create, destroy, saved } = await project()
    await commit(sandbox, 'done.txt')
    await rm(path.join(sandbox, '.git'))
    const { bundle } = await change('delete', { force: true })
    expect(await saved(bundle, 'refs/heads/sandbox/s', 'done.txt')).toBe('done.txt')
    const { path: next } = await create('next')
    await writeFile(path.join(next, 'new.txt'), 'new\n')
    await rm(path.join(next, '.git'))
    await create('next')
    expect(await git(next, 'status', '--porcelain', '--branch')).toBe('## sandbox/next\n?? new.txt')
    await rm(path.join(next, '.git'))
    const { bundles } = await destroy({ force: true })
    expect(await saved(bundles[0], 'refs/switchyard/worktree', 'new.txt')).toBe('new')
    expect(existsSync(base)).toBe(false)
  })

  it('is refused when a file is too large for a bundle, and names the file', async () => {
    const { sandbox, change, destroy } = await project()
    await writeFile(path.join(sandbox, 'huge.bin'), '')
    await truncate(path.join(sandbox, 'huge.bin'), 2 ** 30)
    await expect(change('delete', { force: true })).rejects.toThrow(/payload_too_large.*huge\.bin/)
    await expect(destroy({ force: true })).rejects.toThrow(/payload_too_large.*huge\.bin/)
    await rm(path.join(sandbox, 'huge.bin'))
    expect(await change('delete')).toMatchObject({ bundle: null })
  })
})

describe('destroying a project', { timeout: LONG_MS }, () => {
  it('is refused while its clone has unpushed branches and stashes, and saves them in a bundle when forced', async () => {
    const { sandbox, base, commit, destroy, saved, origin } = await project()
    await writeFile(path.join(sandbox, 'a.txt'), 'stashed\n')
    await git(sandbox, 'stash', '--quiet')
    await git(sandbox, 'checkout', '--quiet', '-b', 'feature')
    await commit(sandbox, 'feature.txt')
    await git(sandbox, 'checkout', '--quiet', 'sandbox/s')
    await expect(destroy()).rejects.toThrow(/work_would_be_lost.*1 unpushed commit on feature, 1 stash/)
    expect(existsSync(base)).toBe(true)
    const { bundles } = await destroy({ force: true })
    expect(bundles).toHaveLength(1)
    expect(await saved(bundles[0], 'refs/heads/feature', 'feature.txt')).toBe('feature.txt')
    expect(await saved(bundles[0], 'refs/switchyard/stash/0', 'a.txt')).toBe('stashed')
    expect(await git(origin, 'branch', '--list', 'feature')).toBe('')
  })

  it('is refused while its clone has the unpushed branch of a deleted sandbox', async () => {
    const { origin, git_url, create, commit, destroy } = await project()
    const { path: directory } = await create('mine', { branch: 'mine' })
    await commit(directory, 'mine.txt')
    await mcp.call('opencode_sandbox_delete', { git_url, name: 'mine', force: true })
    await expect(destroy()).rejects.toThrow(/work_would_be_lost.*1 unpushed commit on mine/)
    const [shared] = (await readdir(path.join(system.home, 'workspaces', 'repos'))).filter((name) =>
      name.startsWith(parseRepositoryUrl(git_url).slug),
    )
    await git(path.join(system.home, 'workspaces', 'repos', shared ?? ''), 'push', '--quiet', origin, 'mine')
    expect((await destroy()).bundles).toEqual([])
  })

  it('saves each sandbox once, and the branch of a sandbox whose directory is missing', async () => {
    const { sandbox, create, commit, destroy, saved } = await project()
    await commit(sandbox, 'done.txt')
    const { path: gone } = await create('gone')
    await commit(gone, 'gone.txt')
    await rm(gone, { recursive: true })
    await expect(destroy()).rejects.toThrow(/work_would_be_lost/)
    const { bundles } = await destroy({ force: true })
    expect(bundles).toHaveLength(2)
    expect(await saved(bundles[0], 'refs/heads/sandbox/s', 'done.txt')).toBe('done.txt')
    expect(await saved(bundles[1], 'refs/heads/sandbox/gone', 'gone.txt')).toBe('gone.txt')
  })

  it('lets the next start begin at the newest commit, although the directory of a task remains', async () => {
    const { origin, git_url, base, start, create, commit, destroy } = await project()
    const task = await mcp.call<{ status: string }>('execute_task', {
      task_description: script([{ say: 'done' }]),
      project: git_url,
      sync: true,
    })
    expect(task.status).toBe('completed')
    await destroy()
    await commit(origin, 'newer.txt')
    await start()
    expect(existsSync(path.join(base, 'newer.txt'))).toBe(true)
    expect(existsSync(path.join((await create('s')).path, 'newer.txt'))).toBe(true)
  })
})

describe('a task that arrives while its sandbox is being removed', { timeout: LONG_MS }, () => {
  let records: Records
  let database: pg.Client

  beforeAll(async () => {
    records = new Records({ connectionString: system.databaseUrl, applicationName: 'test', max: 2 })
    database = new pg.Client(system.databaseUrl)
    await database.connect()
  })

  afterAll(async () => {
    await records?.close()
    await database?.end()
  })

  /**
   * Locks the project until `call` waits for the lock and a task has been accepted in the sandbox.
   */
  const whileItWaits = async (id: string, call: () => Promise<unknown>, url: string) => {
    let asked: Promise<unknown> | undefined
    const task = await records.withLock(`project:${id}`, async () => {
      asked = call()
      asked.catch(() => undefined)
      const waiting = `SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted`
      await expect.poll(async () => (await database.query(waiting)).rowCount).toBe(1)
      return await mcp.call<{ task_id: string }>('execute_task', {
        task_description: script([{ hold: `late-${id}` }, { say: 'done' }]),
        project: url,
        sandbox: 's',
      })
    })
    await expect(asked).rejects.toThrow(/project_busy.*1 task has not ended/)
    system.model.release(`late-${id}`)
    return await mcp.call('get_task_status', { task_id: task.task_id, wait_ms: 45_000 })
  }

  it.each(['delete', 'reset', 'destroy'] as const)('keeps its sandbox: %s', async (how) => {
    const { id, git_url, sandbox, change, destroy } = await project()
    const call = () => (how === 'destroy' ? destroy({ force: true }) : change(how, { force: true }))
    expect(await whileItWaits(id, call, git_url)).toMatchObject({ status: 'completed' })
    expect(existsSync(path.join(sandbox, 'a.txt'))).toBe(true)
    await call()
  })

  it('finds the sandbox unchanged after a refused removal', async () => {
    const { git_url, sandbox, change, destroy } = await project()
    await writeFile(path.join(sandbox, 'mine.txt'), 'mine\n')
    for (const call of [() => change('delete'), () => change('reset'), () => destroy()])
      await expect(call()).rejects.toThrow(/work_would_be_lost/)
    const task = { task_description: script([{ say: 'done' }]), project: git_url, sandbox: 's', sync: true }
    expect(await mcp.call('execute_task', task)).toMatchObject({ status: 'completed' })
  })

  it('keeps the work of a sandbox whose deletion a crash interrupted, although its start command now fails', async () => {
    const { id, sandbox, create, saved } = await project()
    await writeFile(path.join(sandbox, 'mine.txt'), 'mine\n')
    const broken = `UPDATE sandboxes SET is_ready = false, start_command = 'exit 3' WHERE project_id = $1`
    await database.query(broken, [id])
    await expect(create('s')).rejects.toThrow(/sandbox_failed/)
    const bundles = path.join(system.home, 'bundles')
    const names = (await readdir(bundles)).filter((name) => name.startsWith('s-'))
    const found: string[] = []
    for (const name of names)
      found.push(await saved(path.join(bundles, name), 'refs/switchyard/worktree', 'mine.txt').catch(() => 'none'))
    expect(found).toContain('mine')
  })
})
