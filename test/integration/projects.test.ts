import { existsSync } from 'node:fs'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type {
  DestroyedProject,
  ProjectInfo,
  ProjectStatusInfo,
  Sandbox,
  SandboxChanged,
  SandboxEntry,
  StartedProject,
} from '@switchyard/contracts'
import { parseRepositoryUrl } from '@switchyard/git'
import { type GitDaemon, script, startGitDaemon, whyNoRedis } from '@switchyard/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { connectMcp, type McpCaller } from './mcp-caller.ts'
import { git, makeRepository } from './repository.ts'
import { type Backend, type System, startSystem } from './system.ts'

const noRedis = await whyNoRedis()

for (const backend of ['postgres', 'redis'] satisfies Backend[]) {
  describe.skipIf(backend === 'redis' && noRedis !== undefined)(
    `projects, with the queue on ${backend}${backend === 'redis' && noRedis ? ` (skipped: ${noRedis})` : ''}`,
    () => {
      let system: System
      let repositories: string
      let mcp: McpCaller
      let daemon: GitDaemon
      let agent: McpCaller
      let other: McpCaller
      let number = 0

      beforeAll(async () => {
        repositories = await mkdtemp(path.join(tmpdir(), 'switchyard-test-repositories-'))
        daemon = await startGitDaemon(repositories)
        system = await startSystem(backend, {
          MCP_LEGACY_TOOLS: 'true',
          SWITCHYARD_API_KEYS: ['ops:operator', 'one:agent', 'two:agent']
            .map((entry) => `${entry}:${entry.replace(':', '-')}-0123456789`)
            .join(','),
        })
        mcp = await connectMcp(system.url, { key: 'ops-operator-0123456789' })
        agent = await connectMcp(system.url, { key: 'one-agent-0123456789' })
        other = await connectMcp(system.url, { key: 'two-agent-0123456789' })
      })

      afterAll(async () => {
        for (const client of [mcp, agent, other]) await client?.close()
        await system?.close()
        await daemon?.close()
        await rm(repositories, { recursive: true, force: true })
      })

      const repository = async () => {
        number += 1
        return `file://${await makeRepository(path.join(repositories, `r${number}`), { 'a.txt': 'a\n' })}`
      }
      const start = (git_url: string, as = mcp) => as.call<StartedProject>('opencode_project_start', { git_url })

      it('starts a project once for concurrent calls', async () => {
        const url = await repository()
        const answers = await Promise.all([1, 2, 3, 4].map(() => start(url)))
        const [first] = answers
        expect(new Set(answers.map((answer) => answer.project_id)).size).toBe(1)
        expect(await readFile(path.join(first?.base_dir ?? '', 'a.txt'), 'utf8')).toBe('a\n')
        expect(await git(first?.base_dir ?? '', 'branch', '--show-current')).toBe('main')
        expect((await start(url)).status).toBe('already_running')
        const { projects } = await mcp.call<{ projects: ProjectInfo[] }>('opencode_project_list')
        expect(projects.filter((project) => project.project_id === first?.project_id)).toMatchObject([
          { status: 'ready', default_branch: 'main', worktrees: [], running_tasks: 0 },
        ])
      })

      it('reports what is wrong with a missing repository, and stores it on the project', async () => {
        const url = `file://${repositories}/nowhere`
        await expect(start(url)).rejects.toThrow(/repository_not_found/)
        expect(await mcp.call('opencode_project_status', { git_url: url })).toMatchObject({
          status: 'failed',
          detail: expect.stringContaining('nowhere'),
        })
      })

      it('stops a project and starts it again', async () => {
        const url = await repository()
        await start(url)
        expect(await mcp.call('opencode_project_stop', { git_url: url })).toMatchObject({ status: 'stopped' })
        expect(await start(url)).toMatchObject({ status: 'started' })
      })

      it('shows an agent its own projects only', async () => {
        const place = (await repository()).replace('file://', '')
        await expect(start(place, agent)).rejects.toThrow(/forbidden/)
        const url = daemon.url(path.basename(place))
        const { project_id: id } = await start(url, agent)
        await expect(other.call('opencode_project_status', { git_url: id })).rejects.toThrow(/project_not_found/)
        await expect(start(url, other)).rejects.toThrow(/forbidden/)
        await expect(other.call('execute_task', { task_description: 'x', project: url })).rejects.toThrow(/forbidden/)
        expect((await other.call<{ projects: unknown[] }>('opencode_project_list')).projects).toEqual([])
        expect(await mcp.call('opencode_project_status', { git_url: id })).toMatchObject({ status: 'ready' })
      })

      it('creates a sandbox once, on the requested branch, and runs its start command', async () => {
        const url = await repository()
        await start(url)
        const call = () =>
          mcp.call<Sandbox>('opencode_sandbox_create', {
            git_url: url,
            name: 'one',
            branch: 'feature/one',
            start_command: 'echo made >> made.txt',
          })
        const [sandbox] = await Promise.all([call(), call()])
        expect(sandbox).toMatchObject({ name: 'one', branch: 'feature/one' })
        expect(await git(sandbox.path, 'branch', '--show-current')).toBe('feature/one')
        expect(await readFile(path.join(sandbox.path, 'made.txt'), 'utf8')).toBe('made\n')
        expect((await mcp.call<ProjectStatusInfo>('opencode_project_status', { git_url: url })).worktrees).toEqual([
          { ...sandbox, state: expect.objectContaining({ dirty: 1, ahead: 0, behind: 0 }) },
        ])
        await expect(
          mcp.call('opencode_sandbox_create', { git_url: url, name: 'one', branch: 'another' }),
        ).rejects.toThrow(/sandbox_exists/)
      })

      it('removes a sandbox whose start command fails', async () => {
        const url = await repository()
        const { base_dir: base } = await start(url)
        const make = (start_command: string) =>
          mcp.call<Sandbox>('opencode_sandbox_create', { git_url: url, name: 'two', start_command })
        await expect(make('echo "no such thing" >&2; exit 7')).rejects.toThrow(/sandbox_failed.*code 7.*no such thing/)
        expect((await mcp.call<ProjectInfo>('opencode_project_status', { git_url: url })).worktrees).toEqual([])
        expect(await git(base ?? '', 'worktree', 'list')).not.toContain('sandboxes')
        expect(existsSync((await make('true')).path)).toBe(true)
      })

      it('runs tasks in a sandbox one at a time, and keeps their changes there', async () => {
        const url = await repository()
        await start(url)
        const sandbox = await mcp.call<Sandbox>('opencode_sandbox_create', { git_url: url, name: 'work' })
        const append = (word: string) =>
          mcp.call<{ status: string; result: { files_changed: string[] } }>('execute_task', {
            task_description: script([
              {
                tool: 'bash',
                args: { command: `echo ${word} >> log.txt; sleep 0.3; echo ${word} >> log.txt`, description: 'x' },
              },
              { say: 'done' },
            ]),
            project: url,
            sandbox: 'work',
            sync: true,
          })
        const [first, second] = await Promise.all([append('one'), append('two')])
        expect([first.status, second.status]).toEqual(['completed', 'completed'])
        const lines = (await readFile(path.join(sandbox.path, 'log.txt'), 'utf8')).trim().split('\n')
        expect(lines.toSorted()).toEqual(['one', 'one', 'two', 'two'])
        expect(lines[0]).toBe(lines[1])
        await expect(
          mcp.call('execute_task', { task_description: 'x', project: url, sandbox: 'nowhere' }),
        ).rejects.toThrow(/sandbox_not_found/)
      })

      it('reports the state of a sandbox, and deletes or resets it only when no work is lost', async () => {
        const url = await repository()
        await start(url)
        const { path: directory } = await mcp.call<Sandbox>('opencode_sandbox_create', { git_url: url, name: 's' })
        const list = async () =>
          (await mcp.call<{ sandboxes: SandboxEntry[] }>('opencode_sandbox_list', { git_url: url })).sandboxes
        expect(await list()).toMatchObject([
          { name: 's', exists: true, tasks: 0, state: { ahead: 0, behind: 0, dirty: 0, unpushed: 0 } },
        ])
        await writeFile(path.join(directory, 'new.txt'), 'new\n')
        await git(directory, 'add', 'new.txt')
        await git(directory, 'commit', '--quiet', '--message', 'New')
        await writeFile(path.join(directory, 'a.txt'), 'changed\n')
        const origin = url.replace('file://', '')
        await writeFile(path.join(origin, 'b.txt'), 'b\n')
        await git(origin, 'add', 'b.txt')
        await git(origin, 'commit', '--quiet', '--message', 'B')
        await start(url)
        const change = (how: 'delete' | 'reset', force?: boolean) =>
          mcp.call<SandboxChanged>(`opencode_sandbox_${how}`, { git_url: url, name: 's', ...(force ? { force } : {}) })
        await expect(change('delete')).rejects.toThrow(/work_would_be_lost.*1 uncommitted change, 1 unpushed commit/)
        expect(await list()).toMatchObject([{ state: { ahead: 1, behind: 1, dirty: 1, unpushed: 1 } }])
        const reset = await change('reset', true)
        expect(existsSync(path.join(directory, 'b.txt'))).toBe(true)
        expect(await readFile(path.join(directory, 'a.txt'), 'utf8')).toBe('a\n')
        await git(origin, 'fetch', '--quiet', reset.bundle ?? '', 'refs/switchyard/worktree:refs/heads/saved')
        expect(await git(origin, 'show', 'saved:a.txt')).toBe('changed')
        expect(await git(origin, 'show', 'saved:new.txt')).toBe('new')
        expect(await change('delete')).toMatchObject({ done: 'deleted', bundle: null })
        expect(existsSync(directory)).toBe(false)
        await expect(change('delete')).rejects.toThrow(/sandbox_not_found/)
      })

      it('destroys a project only when no work is lost, or after saving it in bundles', async () => {
        const url = await repository()
        const { base_dir: base, project_id: id } = await start(url)
        const { path: sandbox } = await mcp.call<Sandbox>('opencode_sandbox_create', { git_url: url, name: 's' })
        await writeFile(path.join(sandbox, 'mine.txt'), 'mine\n')
        const task = await mcp.call<{ task_id: string }>('execute_task', {
          task_description: script([{ hold: `destroy-${id}` }, { say: 'never' }]),
          project: url,
        })
        const destroy = (force?: boolean) =>
          mcp.call<DestroyedProject>('opencode_project_destroy', { git_url: url, ...(force ? { force } : {}) })
        await expect(destroy()).rejects.toThrow(/project_busy/)
        await mcp.call('send_task_control', { task_id: task.task_id, control: 'cancel' })
        await mcp.call('get_task_status', { task_id: task.task_id, wait_ms: 10_000 })
        await expect(destroy()).rejects.toThrow(/work_would_be_lost.*sandbox s has 1 uncommitted change/)
        expect(existsSync(path.join(sandbox, 'mine.txt'))).toBe(true)
        await expect(agent.call('opencode_project_destroy', { git_url: url, force: true })).rejects.toThrow(/not_found/)
        const { bundles } = await destroy(true)
        expect(bundles).toHaveLength(1)
        expect([base ?? '', path.dirname(sandbox)].map((place) => existsSync(place))).toEqual([false, false])
        await expect(mcp.call('opencode_project_status', { git_url: url })).rejects.toThrow(/project_not_found/)
        expect(await start(url)).toMatchObject({ status: 'started', project_id: id })
      })

      it('cancels the tasks of a project that is destroyed by force', async () => {
        const url = await repository()
        const { project_id: id } = await start(url)
        const task = await mcp.call<{ task_id: string }>('execute_task', {
          task_description: script([{ hold: `force-${id}` }, { say: 'never' }]),
          project: url,
        })
        await mcp.call('opencode_project_destroy', { git_url: url, force: true })
        expect(await mcp.call('get_task_status', { task_id: task.task_id })).toMatchObject({ status: 'cancelled' })
      })

      it('accepts the tool names of older managers when they are enabled', async () => {
        const url = await repository()
        const { slug } = parseRepositoryUrl(url)
        const kept = async () =>
          (await readdir(path.join(system.home, 'mirrors'))).filter((name) => name.startsWith(slug))
        const { project_id: id } = await mcp.call<StartedProject>('opencode_start', { git_url: url })
        expect(await kept()).toContain(`${slug}.worktrees`)
        expect(await mcp.call('opencode_status', { git_url: url })).toMatchObject({ project_id: id, status: 'ready' })
        expect(await mcp.call('opencode_mcp_status')).toMatchObject({ status: 'running' })
        await mcp.call('opencode_destroy', { git_url: url })
        const { projects } = await mcp.call<{ projects: ProjectInfo[] }>('opencode_list')
        expect(projects.map((project) => project.project_id)).not.toContain(id)
        expect(await kept()).toEqual([])
      })

      it('serves one toolset under its path', async () => {
        const tasks = await connectMcp(system.url, { key: 'ops-operator-0123456789', path: '/mcp/tasks' })
        const names = await tasks.tools()
        await tasks.close()
        expect(names).toContain('execute_task')
        expect(names.filter((name) => name.startsWith('opencode_project'))).toEqual([])
        expect(await mcp.tools()).toEqual(expect.arrayContaining(['execute_task', 'opencode_project_start', 'ping']))
      })
    },
  )
}
