// OpenCode servers of API keys on a real OpenCode: the tasks and sessions of two agent keys share none.

import { readFile } from 'node:fs/promises'
import type { Health, ServerInfo, ServerList, SessionList, Task } from '@switchyard/contracts'
import { configureServer, ownerServerId, Records } from '@switchyard/records'
import { script } from '@switchyard/testing'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import type { RestCaller } from './rest-caller.ts'
import { at, type SessionSystem, startSessionSystem } from './session-system.ts'

// Each test starts one or two servers, which takes seconds of CPU time.
vi.setConfig({ testTimeout: 180_000 })

const PATIENCE = { timeout: 60_000 }
const MEBIBYTE = 1_048_576

const bash = (command: string) => ({ tool: 'bash', args: { command, description: command } })

describe('servers of API keys', () => {
  let system: SessionSystem
  let records: Records

  beforeAll(async () => {
    system = await startSessionSystem('postgres', {
      // Without the sandbox, commands see what the server sees.
      env: { OPENCODE_SHARING: 'owner', TOOL_SANDBOX: 'off' },
    })
    records = new Records({ connectionString: system.databaseUrl, applicationName: 'test', max: 2 })
  })

  afterAll(async () => {
    await records?.close()
    await system?.close()
  })

  const servers = async (): Promise<readonly ServerInfo[]> =>
    (await system.ops.ok<ServerList>('GET', '/servers')).servers

  const serverOf = async (owner: string | null): Promise<ServerInfo> => {
    const found = (await servers()).find((server) =>
      owner === null ? server.isolation === 'shared' : server.owner === owner,
    )
    if (!found) throw new Error(`${owner} has no server`)
    return found
  }

  const run = async (as: RestCaller, command: string, more: object = {}): Promise<Task> => {
    const description = script([bash(command), { say: '{{last_tool_output}}' }])
    const { body } = await as.request<Task>('POST', '/tasks', { task_description: description, ...more })
    let task = body
    while (task.completed_at === null) task = await as.ok<Task>('GET', `/tasks/${body.task_id}?wait_ms=10000`)
    expect(task).toMatchObject({ status: 'completed', error: null })
    return task
  }

  const outputOf = (task: Task): readonly string[] => (task.result?.output ?? '').trim().split('\n')

  const passwordAt = async (server: ServerInfo, password: string): Promise<number> => {
    const authorization = `Basic ${Buffer.from(`opencode:${password}`).toString('base64')}`
    return (await fetch(`${server.url}/global/health`, { headers: { authorization } })).status
  }

  it('have a password, a home and a process of their own, and the operator uses the shared one', async () => {
    const look = 'echo "$HOME"; echo "$OPENCODE_SERVER_PASSWORD"; echo "$PPID"'
    const tasks = await Promise.all([run(system.one, look), run(system.two, look), run(system.ops, look)])
    const [one = [], two = [], ops = []] = tasks.map(outputOf)
    for (const index of [0, 1]) expect(new Set([one[index], two[index], ops[index]]).size).toBe(3)
    const [ofOne, ofTwo, shared] = [await serverOf('one'), await serverOf('two'), await serverOf(null)]
    expect(ofOne).toMatchObject({ isolation: 'owner', kind: 'child', status: 'up', project_id: null, git_url: null })
    expect(new Set([ofOne.pid, ofTwo.pid, shared.pid]).size).toBe(3)
    expect(await passwordAt(ofOne, one[1] ?? '')).toBe(200)
    expect(await passwordAt(ofTwo, one[1] ?? '')).toBe(401)
    expect(await passwordAt(shared, one[1] ?? '')).toBe(401)
    expect(await system.ops.ok<Health>('GET', '/health')).toMatchObject({
      parts: expect.arrayContaining([expect.objectContaining({ name: 'key-servers', status: 'up' })]),
    })
  })

  it('keep what the agents of one key leave in their home away from the other', async () => {
    await run(
      system.one,
      'mkdir -p ~/.config/opencode/plugin && echo "export default async () => ({})" > ~/.config/opencode/plugin/mine.js',
    )
    const left = outputOf(await run(system.one, 'cat ~/.config/opencode/plugin/mine.js'))
    expect(left).toEqual(['export default async () => ({})'])
    for (const other of [system.two, system.ops])
      expect(outputOf(await run(other, 'ls ~/.config/opencode/plugin 2>&1 | tail -1')).join()).not.toContain('mine.js')
  })

  it('have sessions that the other key cannot see, and the operator can', async () => {
    const project = await system.start(system.one)
    await system.one.ok('PATCH', project.path, { permissions: { agents: ['two'] } })
    const session = await system.create(project, { permissions: 'allow' }, system.one)
    const task = await run(system.two, 'echo work', { project: project.id })
    const listed = async (as: RestCaller) =>
      (await as.ok<SessionList>('GET', `${project.path}/session`)).sessions.map(({ id }) => id)
    expect(await listed(system.one)).toEqual([session.id])
    expect(await listed(system.two)).toEqual([task.session_id])
    expect([...(await listed(system.ops))].sort()).toEqual([session.id, task.session_id].sort())
    expect((await system.two.request('GET', at(project, session))).status).toBe(404)
    expect((await system.one.request('GET', at(project, { id: task.session_id ?? '' }))).status).toBe(404)
    // The operator reads a task's session on the server where it is.
    const { messages } = await system.ops.ok<{ messages: object[] }>(
      'GET',
      `${at(project, { id: task.session_id ?? '' })}/message`,
    )
    expect(JSON.stringify(messages)).toContain('echo work')
  })

  it('stop when they are idle, give their memory back, and continue with the next task', async () => {
    const first = await run(system.one, 'echo "$OPENCODE_SERVER_PASSWORD"')
    await expect.poll(async () => (await serverOf('one')).memory_bytes ?? 0, PATIENCE).toBeGreaterThan(100 * MEBIBYTE)
    const { pid, memory_bytes: memory } = await serverOf('one')
    await configureServer(records.db, ownerServerId('one'), { idle_ms: 1_000 })
    await expect.poll(async () => (await serverOf('one')).status, PATIENCE).toBe('stopped')
    expect(await serverOf('one')).toMatchObject({ memory_bytes: null, pid: null })
    await expect(readFile(`/proc/${pid}/stat`)).rejects.toThrow()
    console.log(`the idle server of a key gave back ${Math.round((memory ?? 0) / MEBIBYTE)} MiB`)
    await configureServer(records.db, ownerServerId('one'), { idle_ms: null })
    expect(outputOf(await run(system.one, 'echo "$OPENCODE_SERVER_PASSWORD"'))).toEqual(outputOf(first))
  })
})
