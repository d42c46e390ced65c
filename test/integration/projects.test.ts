import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { ProjectInfo, Sandbox, StartedProject } from '@switchyard/contracts'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { connectMcp, type McpCaller } from './mcp-caller.ts'
import { whyNoRedis } from './redis.ts'
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
      let agent: McpCaller
      let other: McpCaller
      let number = 0

      beforeAll(async () => {
        repositories = await mkdtemp(path.join(tmpdir(), 'switchyard-test-repositories-'))
        system = await startSystem(backend, {
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
        await rm(repositories, { recursive: true, force: true })
      })

      const repository = async () => {
        number += 1
        return `file://${await makeRepository(path.join(repositories, `r${number}`), { 'a.txt': 'a\n' })}`
      }
      const start = (git_url: string, as = mcp) => as.call<StartedProject>('opencode_project_start', { git_url })

      it('starts one once, however often it is called, and at once', async () => {
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

      it('says what is wrong with a repository that is not there, and keeps that on the project', async () => {
        const url = `file://${repositories}/nowhere`
        await expect(start(url)).rejects.toThrow(/repository_not_found/)
        expect(await mcp.call('opencode_project_status', { git_url: url })).toMatchObject({
          status: 'failed',
          detail: expect.stringContaining('nowhere'),
        })
      })

      it('stops one and starts it again', async () => {
        const url = await repository()
        await start(url)
        expect(await mcp.call('opencode_project_stop', { git_url: url })).toMatchObject({ status: 'stopped' })
        expect(await start(url)).toMatchObject({ status: 'started' })
      })

      it('shows an agent its own projects, and no other’s', async () => {
        const url = await repository()
        const { project_id: id } = await start(url, agent)
        await expect(other.call('opencode_project_status', { git_url: id })).rejects.toThrow(/project_not_found/)
        await expect(start(url, other)).rejects.toThrow(/forbidden/)
        await expect(other.call('execute_task', { task_description: 'x', project: url })).rejects.toThrow(/forbidden/)
        expect((await other.call<{ projects: unknown[] }>('opencode_project_list')).projects).toEqual([])
        expect(await mcp.call('opencode_project_status', { git_url: id })).toMatchObject({ status: 'ready' })
      })

      it('makes a sandbox on the branch asked for, with its start command, once', async () => {
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
        expect((await mcp.call<ProjectInfo>('opencode_project_status', { git_url: url })).worktrees).toEqual([sandbox])
        await expect(
          mcp.call('opencode_sandbox_create', { git_url: url, name: 'one', branch: 'another' }),
        ).rejects.toThrow(/sandbox_exists/)
      })

      it('leaves nothing of a sandbox whose start command fails', async () => {
        const url = await repository()
        const { base_dir: base } = await start(url)
        const make = (start_command: string) =>
          mcp.call<Sandbox>('opencode_sandbox_create', { git_url: url, name: 'two', start_command })
        await expect(make('echo "no such thing" >&2; exit 7')).rejects.toThrow(/sandbox_failed.*code 7.*no such thing/)
        expect((await mcp.call<ProjectInfo>('opencode_project_status', { git_url: url })).worktrees).toEqual([])
        expect(await git(base ?? '', 'worktree', 'list')).not.toContain('sandboxes')
        expect(existsSync((await make('true')).path)).toBe(true)
      })

      it('serves one set of tools by its path', async () => {
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
