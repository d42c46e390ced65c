// Project servers on a real OpenCode: used by the project's tasks, listed, started and stopped on
// demand.

import { access, mkdtemp, rm, stat } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { ProjectInfo, ServerInfo, ServerList, StartedProject, Task } from '@switchyard/contracts'
import { configureServer, Records } from '@switchyard/records'
import { script } from '@switchyard/testing'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { connectMcp, type McpCaller } from './mcp-caller.ts'
import { makeRepository } from './repository.ts'
import { type System, startSystem } from './system.ts'

// Each test starts one or two servers, which takes seconds of CPU time.
vi.setConfig({ testTimeout: 180_000 })

const MEBIBYTE = 1_048_576

/** Prints a variable of the agent's environment. */
const TELL = { tool: 'bash', args: { command: 'echo "it says $MY_SETTING"; sleep 1', description: 'Tell' } }

describe('project servers', () => {
  let system: System
  let mcp: McpCaller
  let repositories: string
  let records: Records

  beforeAll(async () => {
    repositories = await mkdtemp(path.join(tmpdir(), 'switchyard-test-repositories-'))
    system = await startSystem('postgres', { PROJECT_SERVER_DRAIN_MS: '60000' })
    records = new Records({ connectionString: system.databaseUrl, applicationName: 'test', max: 2 })
    mcp = await connectMcp(system.url)
  })

  afterAll(async () => {
    await mcp?.close()
    await records?.close()
    await system?.close()
    await rm(repositories, { recursive: true, force: true })
  })

  const start = async (name: string) => {
    const url = `file://${await makeRepository(path.join(repositories, name), { 'a.txt': 'a\n' })}`
    const project = await mcp.call<StartedProject>('opencode_project_start', { git_url: url, isolation: 'dedicated' })
    return { url, id: project.project_id, path: project.git_url }
  }

  const servers = async (): Promise<readonly ServerInfo[]> =>
    ((await system.caller.get('/servers')) as ServerList).servers
  const serverOf = async (id: string): Promise<ServerInfo> => {
    const found = (await servers()).find((server) => server.project_id === id)
    if (!found) throw new Error(`${id} has no server`)
    return found
  }

  const configure = async (
    id: string,
    settings: object,
  ): Promise<{ status: number; body: Record<string, unknown> }> => {
    const answer = await fetch(`${system.url}/servers/${id}`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(settings),
    })
    return { status: answer.status, body: (await answer.json()) as Record<string, unknown> }
  }

  const run = async (project: string, steps: Parameters<typeof script>[0]): Promise<Task> => {
    const { task_id } = await system.caller.submit({ task_description: script(steps), project })
    return await system.caller.ended(task_id)
  }

  it("run the project's tasks apart from the shared server, with their own password", async () => {
    const project = await start('own')
    const shared = (await servers()).find((server) => server.isolation === 'shared')
    expect(shared).toMatchObject({ kind: 'child', status: 'up', pool: 'blue', project_id: null })
    const task = await run(project.url, [TELL, { say: 'done' }])
    expect(task).toMatchObject({ status: 'completed', error: null })
    const own = await serverOf(project.id)
    expect(own).toMatchObject({ kind: 'child', status: 'up', isolation: 'dedicated', git_url: project.path })
    expect(own.pid).not.toBe(shared?.pid)
    expect(own.port).not.toBe(shared?.port)
    expect(own.memory_bytes).toBeGreaterThan(100 * MEBIBYTE)
    expect(own.last_health_at).not.toBeNull()
    const { projects } = await mcp.call<{ projects: ProjectInfo[] }>('opencode_project_list', {})
    const listed = projects.find(({ project_id }) => project_id === project.id)
    expect(listed).toMatchObject({ port: own.port, sessions: expect.any(Number) })
    expect(listed?.server).toMatchObject({ id: own.id, status: 'up', pid: own.pid, port: own.port })
    expect(listed?.server?.memory_bytes).toBeGreaterThan(100 * MEBIBYTE)
    expect(listed?.server?.last_health_at).not.toBeNull()
    const file = path.join(system.home, 'servers', project.id, 'password')
    expect((await stat(file)).mode & 0o777).toBe(0o600)
    expect((await fetch(`${own.url}/global/health`)).status).toBe(401)
    // Only the project's server has the session.
    const sessions = await system.switchyard.opencode?.client.everySession({ roots: true })
    expect(sessions?.map(({ id }) => id)).not.toContain(task.session_id)
  })

  it('apply their settings at the next start, and refuse settings that grant access or hold secrets', async () => {
    const project = await start('settings')
    for (const name of ['DATABASE_URL', 'LD_PRELOAD', 'PATH', 'OPENCODE_SERVER_PASSWORD', 'MY_API_KEY'])
      expect(await configure(project.id, { environment: { [name]: 'x' } })).toMatchObject({ status: 400 })
    const set = await configure(project.id, { environment: { MY_SETTING: 'yes' }, restart: true })
    expect(set).toMatchObject({ status: 200, body: { isolation: 'dedicated' } })
    await expect.poll(async () => (await serverOf(project.id)).restarts, { timeout: 40_000 }).toBe(1)
    const task = await run(project.url, [TELL, { say: 'done' }])
    expect(task.status).toBe('completed')
    const events = (await system.caller.get(`/tasks/${task.task_id}/events`)) as { events: { message: string }[] }
    expect(events.events.map(({ message }) => message).join('\n')).toContain('it says yes')
  })

  it('never take a port that is in use', async () => {
    const project = await start('port')
    const other = createServer()
    const port = await new Promise<number>((resolve) =>
      other.listen(0, '127.0.0.1', () => resolve((other.address() as { port: number }).port)),
    )
    await configure(project.id, { port, restart: true })
    await expect.poll(async () => (await serverOf(project.id)).restarts, { timeout: 40_000 }).toBe(1)
    await expect.poll(async () => (await serverOf(project.id)).status, { timeout: 40_000 }).toBe('up')
    expect((await serverOf(project.id)).port).not.toBe(port)
    await new Promise((resolve) => other.close(resolve))
    await configure(project.id, { restart: true })
    await expect.poll(async () => (await serverOf(project.id)).port, { timeout: 40_000 }).toBe(port)
    const second = await start('port-2')
    expect(await configure(second.id, { port })).toMatchObject({ status: 400 })
  })

  it('restart after a crash, also during a task', async () => {
    const project = await start('crash')
    const { task_id } = await system.caller.submit({
      task_description: script([{ tool: 'bash', args: { command: 'sleep 5', description: 'Wait' } }, { say: 'done' }]),
      project: project.url,
    })
    await expect.poll(async () => (await serverOf(project.id)).busy_sessions, { timeout: 60_000 }).toBe(1)
    const { pid } = await serverOf(project.id)
    process.kill(pid ?? 0, 'SIGKILL')
    const task = await system.caller.ended(task_id)
    expect(task).toMatchObject({ status: 'completed', error: null })
    expect((await serverOf(project.id)).pid).not.toBe(pid)
  })

  it('are drained and replaced when they exceed their memory limit: running tasks finish, new ones wait', async () => {
    const project = await start('memory')
    const first = await system.caller.submit({
      task_description: script([{ tool: 'bash', args: { command: 'sleep 8', description: 'Wait' } }, { say: 'first' }]),
      project: project.url,
    })
    await expect.poll(async () => (await serverOf(project.id)).busy_sessions, { timeout: 60_000 }).toBe(1)
    const { pid, memory_bytes: memory } = await serverOf(project.id)
    expect(memory).toBeGreaterThan(256 * MEBIBYTE)
    // The API refuses a limit below what a server needs.
    expect(await configure(project.id, { memory_limit_bytes: 256 * MEBIBYTE })).toMatchObject({ status: 400 })
    await configureServer(records.db, project.id, { memory_limit: 256 * MEBIBYTE })
    await expect.poll(async () => (await serverOf(project.id)).status, { timeout: 40_000 }).toBe('draining')
    const second = await system.caller.submit({ task_description: script([{ say: 'second' }]), project: project.url })
    expect((await system.caller.ended(first.task_id)).error).toBeNull()
    await configure(project.id, { memory_limit_bytes: null })
    expect(await system.caller.ended(second.task_id)).toMatchObject({ status: 'completed', error: null })
    expect((await serverOf(project.id)).pid).not.toBe(pid)
    const history = (await system.caller.get(`/tasks/${first.task_id}/events`)) as { events: { type: string }[] }
    expect(history.events.map(({ type }) => type)).not.toContain('task_recovered')
  })

  it('stop when they are idle, and start with their sessions when they are needed', async () => {
    const project = await start('idle')
    await run(project.url, [{ say: 'one' }])
    const { pid } = await serverOf(project.id)
    await configure(project.id, { idle_ms: 1_000 })
    await expect.poll(async () => (await serverOf(project.id)).status, { timeout: 40_000 }).toBe('stopped')
    await expect(access(`/proc/${pid}`)).rejects.toThrow()
    expect(await serverOf(project.id)).toMatchObject({ pid: null, url: null, memory_bytes: null })
    await configure(project.id, { idle_ms: null })
    expect(await run(project.url, [{ say: 'two' }])).toMatchObject({ status: 'completed' })
    expect((await serverOf(project.id)).status).toBe('up')
  })

  it('stop with their project', async () => {
    const project = await start('stop')
    expect((await serverOf(project.id)).status).toBe('up')
    await mcp.call('opencode_project_stop', { git_url: project.url })
    await expect.poll(async () => (await serverOf(project.id)).status, { timeout: 40_000 }).toBe('stopped')
    const again = await mcp.call<StartedProject>('opencode_project_start', { git_url: project.url })
    expect(again.port).toBe((await serverOf(project.id)).port)
    await mcp.call('opencode_project_destroy', { git_url: project.url })
    expect((await servers()).map((server) => server.project_id)).not.toContain(project.id)
    await expect(access(path.join(system.home, 'servers', project.id))).rejects.toThrow()
  })
})
