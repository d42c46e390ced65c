// Docker mode from the call to the result: one container per task, with the same record and events
// as on a server.

import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { SentControl, SentMessage, Task, TaskEvent } from '@switchyard/contracts'
import { script } from '@switchyard/testing'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { containersOf, type DockerSystem, startDockerSystem, whyNoContainers } from './docker-system.ts'
import { git, makeRepository } from './repository.ts'

const missing = await whyNoContainers()

const SECOND = 1_000
/** Each container starts its own OpenCode, which takes 4 to 20 s on a busy machine. */
const TEST_MS = 180 * SECOND
const bash = (command: string) => ({ tool: 'bash', args: { command, description: command } })

describe('a task in Docker mode', { timeout: TEST_MS }, () => {
  let system: DockerSystem
  let repositories: string

  const read = async (id: string) => (await system.caller.get(`/tasks/${id}`)) as Task
  const events = async (id: string) =>
    ((await system.caller.get(`/tasks/${id}/events?limit=1000`)) as { events: TaskEvent[] }).events
  const control = async (id: string, signal: string) =>
    (await system.caller.post(`/tasks/${id}/control`, { control: signal })) as SentControl
  const submit = async (steps: Parameters<typeof script>[0], more: object = {}) =>
    (await system.caller.submit({ task_description: script(steps), ...more })).task_id
  const eventually = (what: () => unknown) => expect.poll(what, { timeout: 40 * SECOND, interval: 100 })
  const running = async (id: string) => {
    await eventually(async () => (await containersOf(id))[0]?.State.Status).toBe('running')
    await eventually(async () => (await read(id)).session_id).not.toBeNull()
  }

  beforeEach((context) => {
    if (missing) context.skip(missing)
  })

  beforeAll(async () => {
    if (missing) return
    repositories = await mkdtemp(path.join(tmpdir(), 'switchyard-test-repositories-'))
    system = await startDockerSystem('postgres', {
      MAX_CONCURRENT_TASKS: '3',
      ANTHROPIC_API_KEY: 'a-key-of-a-provider',
    })
  })

  afterAll(async () => {
    await system?.close()
    if (repositories) await rm(repositories, { recursive: true, force: true })
  })

  it('completes with the events, the result and the files of a task on a server', async () => {
    const repository = await makeRepository(path.join(repositories, 'r'), { 'a.txt': 'a\n' })
    const id = await submit(
      [
        { think: 'first', say: 'I will write', ...bash('echo b >> a.txt && git log --oneline | wc -l') },
        { tool: 'write', args: { filePath: 'c.txt', content: 'c\n' } },
        { say: 'done at last' },
      ],
      { project: repository },
    )
    const task = await system.caller.ended(id)
    expect(task).toMatchObject({
      status: 'completed',
      mode: 'docker',
      model: 'scripted/model',
      error: null,
      result: {
        output: 'done at last',
        files_changed: ['a.txt', 'c.txt'],
        additions: 2,
        usage: { input: 300, output: 30 },
        cost: 0.0006,
        exit_code: 0,
      },
    })
    const told = await events(id)
    expect(told.map((event) => event.seq)).toEqual(told.map((_, at) => at + 1))
    expect(told.map((event) => [event.type, event.data.kind ?? event.data.state ?? null].join(' '))).toEqual([
      'task_queued ',
      'task_started ',
      'task_progress reasoning',
      'task_progress text',
      'task_progress tool',
      'task_progress tool',
      'task_progress step',
      'task_progress tool',
      'task_progress tool',
      'task_progress step',
      'task_progress text',
      'task_progress step',
      'task_artifact diff',
      'task_completed ',
    ])
    expect(await system.caller.get(`/tasks/${id}/files/content?path=c.txt`)).toMatchObject({ content: 'c\n' })
    expect(await system.caller.get(`/tasks/${id}/diff?format=json`)).toMatchObject({
      files: [{ path: 'a.txt' }, { path: 'c.txt' }],
    })
    await eventually(() => containersOf(id)).toEqual([])
    const kept = path.join(system.home, 'output', id)
    const [file = ''] = await readdir(kept)
    expect(
      (await readFile(path.join(kept, file), 'utf8'))
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line).type),
    ).toContain('step_finish')
  })

  it("neither publishes nor exports another repository's content, whatever it writes into its own", async () => {
    const repository = await makeRepository(path.join(repositories, 'mine'), { 'a.txt': 'a\n' })
    const secret = await makeRepository(path.join(repositories, 'secret'), { 'secret.txt': 'secret\n' })
    const command = `echo b > b.txt && echo ${secret}/.git > .git/commondir && echo 'ref: refs/heads/main' > .git/HEAD`
    const id = await submit([bash(command), { say: 'done' }], { project: repository })
    const { status, directory } = await system.caller.ended(id)
    expect(status).toBe('completed')
    const refused = async () => {
      await expect(system.caller.post(`/tasks/${id}/publish`, { branch: 'out' })).rejects.toThrow(/workspace_gone/)
      await expect(system.caller.get(`/tasks/${id}/export?format=bundle`)).rejects.toThrow(/workspace_gone/)
    }
    await refused()
    const own = path.join(directory ?? '', '.git')
    await rename(own, `${own}.kept`)
    await mkdir(path.join(directory ?? '', 'fake'))
    await writeFile(own, 'gitdir: fake\n')
    for (const [name, text] of [
      ['gitdir', '../.git'],
      ['commondir', `${secret}/.git`],
      ['HEAD', 'ref: refs/heads/main'],
    ] as const)
      await writeFile(path.join(directory ?? '', 'fake', name), `${text}\n`)
    await refused()
    expect(await git(repository, 'branch', '--list', 'out')).toBe('')
  })

  it('reports what its subagents did and what they cost', async () => {
    const inner = script([bash('echo inner'), { say: 'inner done' }])
    const args = { description: 'look', subagent_type: 'general', prompt: inner }
    const id = await submit([{ tool: 'task', args }, { say: 'all done' }])
    const task = await system.caller.ended(id)
    // Two requests by the agent and two by its subagent, each with 100 tokens in and 10 out.
    expect(task).toMatchObject({ status: 'completed', result: { usage: { input: 400, output: 40 } } })
    expect(task.result?.cost).toBeCloseTo(0.0008)
    const told = (await events(id)).filter((event) => event.data.subagent !== undefined)
    expect(told.map(({ data }) => [data.kind, data.tool ?? null])).toContainEqual(['tool', 'bash'])
    expect(told.map(({ data }) => data.subagent)).toContain('look (@general subagent)')
    await eventually(() => containersOf(id)).toEqual([])
  })

  it("is isolated from the host, the network and the other services' secrets", async () => {
    const probe =
      'for a in 169.254.169.254/80 172.17.0.1/22 1.1.1.1/443; do timeout 2 bash -c "</dev/tcp/$a" 2>/dev/null && echo "$a open"; done; touch /x 2>/dev/null && echo writable; ls -d /var/run/docker.sock 2>/dev/null; id -u; curl -s -o /dev/null -w "%{http_code}\\n" http://169.254.169.254/; curl -s -o /dev/null -w "%{http_code}\\n" http://127.0.0.1:1/ --noproxy ""'
    const id = await submit([bash(probe), { hold: 'walls' }, { say: '{{last_tool_output}}' }])
    await running(id)
    const [container] = await containersOf(id)
    expect(container?.HostConfig).toMatchObject({
      Privileged: false,
      ReadonlyRootfs: true,
      CapDrop: ['ALL'],
      SecurityOpt: ['no-new-privileges:true'],
      Memory: 2_147_483_648,
      MemorySwap: 2_147_483_648,
      NanoCpus: 2_000_000_000,
      PidsLimit: 512,
      PidMode: '',
      RestartPolicy: { Name: 'no' },
      LogConfig: { Type: 'json-file', Config: { 'max-size': '64m', 'max-file': '4' } },
    })
    expect(container?.Config.User).toBe('1000:1000')
    expect(container?.Mounts.map((mount) => mount.Source)).toEqual([path.join(system.home, 'workspaces', 'docker', id)])
    expect([container?.Path, ...(container?.Args ?? [])].join(' ')).not.toContain('a-key-of-a-provider')
    expect(container?.Config.Env).toContain('ANTHROPIC_API_KEY=a-key-of-a-provider')
    expect(container?.Config.Env.join('\n')).not.toMatch(/DATABASE_URL|SWITCHYARD_HOME|SWITCHYARD_API_KEYS/)
    system.model.release('walls')
    const task = await system.caller.ended(id)
    expect(task.result?.output.trim().split('\n')).toEqual(['1000', '403', '403'])
  })

  it('freezes its container on pause and continues on resume', async () => {
    const id = await submit([bash('echo one > one.txt'), { hold: 'thaw' }, { say: 'went on' }])
    await running(id)
    await eventually(async () => (await events(id)).filter((event) => event.data.kind === 'step').length).toBe(1)
    expect(await control(id, 'pause')).toMatchObject({ outcome: 'done', status: 'paused' })
    expect((await containersOf(id))[0]?.State.Status).toBe('paused')
    expect(await read(id)).toMatchObject({ status: 'paused', result: { files_changed: ['one.txt'] } })
    expect(await control(id, 'resume')).toMatchObject({ outcome: 'done' })
    await eventually(async () => (await read(id)).status).toBe('running')
    system.model.release('thaw')
    expect(await system.caller.ended(id)).toMatchObject({ status: 'completed', result: { output: 'went on' } })
    const told = (await events(id)).map((event) => event.type)
    expect(told.filter((type) => ['task_started', 'task_paused', 'task_resumed'].includes(type))).toEqual([
      'task_started',
      'task_paused',
      'task_resumed',
    ])
  })

  it('stops on cancel while a command runs', async () => {
    const id = await submit([bash('echo begun > begun.txt; sleep 300'), { say: 'never' }])
    await running(id)
    await eventually(async () => system.caller.get(`/tasks/${id}/files`)).toMatchObject({
      entries: expect.arrayContaining([expect.objectContaining({ path: 'begun.txt' })]),
    })
    // The agent could replace a file by a link while it is read.
    const early = system.caller.post(`/tasks/${id}/publish`, {})
    await expect(early).rejects.toThrow(/workspace_unavailable.*has to end first/)
    await expect(system.caller.get(`/tasks/${id}/export?format=bundle`)).rejects.toThrow(/has to end first/)
    await control(id, 'cancel')
    expect(await system.caller.ended(id)).toMatchObject({
      status: 'cancelled',
      result: { files_changed: ['begun.txt'] },
    })
    await eventually(() => containersOf(id)).toEqual([])
  })

  it('removes the frozen container when a paused task is cancelled', async () => {
    const id = await submit([{ say: 'x', ...bash('echo x') }, { hold: 'cold' }, { say: 'never' }])
    await running(id)
    await control(id, 'pause')
    expect(await control(id, 'cancel')).toMatchObject({ outcome: 'done', status: 'cancelled' })
    await eventually(() => containersOf(id)).toEqual([])
  })

  it('continues its session with a message', async () => {
    const id = await submit([bash('echo x'), { hold: 'say' }, { say: 'first' }, { say: 'received: {{last_user}}' }])
    await running(id)
    const sent = (await system.caller.post(`/tasks/${id}/messages`, { message: '--help me' })) as SentMessage
    expect(sent.delivered).toBe(false)
    system.model.release('say')
    expect(await system.caller.ended(id)).toMatchObject({
      status: 'completed',
      result: { output: 'received: --help me' },
    })
  })

  it('ends at its timeout with the changes so far', async () => {
    const id = await submit([bash('echo x > x.txt'), { hold: 'never' }, { say: 'never' }], { timeout_ms: 40_000 })
    expect(await system.caller.ended(id)).toMatchObject({
      status: 'timeout',
      error: { code: 'task_timeout' },
      result: { files_changed: ['x.txt'] },
    })
    await eventually(() => containersOf(id)).toEqual([])
  })

  it('reports why it failed', async () => {
    const refused = await submit([{ fail: { status: 401, message: 'no such key' } }, { say: 'never' }])
    const model = await submit([{ say: 'never' }], { model: 'scripted/nope' })
    const agent = await submit([{ say: 'never' }], { agent: 'nobody' })
    expect(await system.caller.ended(refused)).toMatchObject({ status: 'failed', error: { code: 'provider_auth' } })
    expect(await system.caller.ended(model)).toMatchObject({ status: 'failed', error: { code: 'model_not_found' } })
    expect(await system.caller.ended(agent)).toMatchObject({ status: 'failed', error: { code: 'agent_not_found' } })
  })

  it('changes nothing under deny', async () => {
    const id = await submit([bash('echo x > x.txt'), { say: 'could not' }], { permissions: 'deny' })
    expect(await system.caller.ended(id)).toMatchObject({ status: 'completed', result: { files_changed: [] } })
    await expect(submit([{ say: 'x' }], { permissions: 'ask' })).rejects.toThrow(/not_supported/)
  })
})
