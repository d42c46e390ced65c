// End-to-end tests of the stack: images built from this checkout, started by Compose, used through
// the published port.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { FileContent, FileList, Task, TaskDiff } from '@switchyard/contracts'
import { FAILING_REPOSITORY, fixFailingTestScript, type GitHttps, script, startGitHttps } from '@switchyard/testing'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { makeBareRepository } from '../integration/repository.ts'
import { type Caller, createCaller } from './caller.ts'
import { bridgeAddress, dockerMissing } from './docker.ts'
import { describeProjects } from './projects.ts'
import { defineStack, printLogsOnFailure, type Stack } from './stack.ts'
import { describeToolSandbox } from './tool-sandbox.ts'

const missing = await dockerMissing('engine')

const TOKEN = 'token-Zq83-of-a-private-repository'

const SERVICES = ['api', 'egress', 'model-gateway', 'notifier', 'opencode', 'postgres', 'valkey', 'worker'] as const

/** A bare repository on the worker's own volume, which no other service has. */
const REPOSITORY = '/var/lib/switchyard/test-repositories/sum.git'

const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`

const makeRepository = (): string =>
  [
    'set -e; work=$(mktemp -d); cd "$work"; git init -q -b main',
    ...Object.entries(FAILING_REPOSITORY).map(([name, content]) => `printf %s ${quoted(content)} > ${quoted(name)}`),
    'git add -A; git -c user.name=test -c user.email=test@localhost commit -q -m "A sum with a bug"',
    `git clone -q --bare . ${REPOSITORY}; rm -rf "$work"`,
  ].join('\n')

/**
 * Returns a command that tries TCP connections from inside a service, and prints `open` or the
 * error for each.
 */
const probe = (targets: readonly string[]): string =>
  `node -e ${quoted(`
    const net = require('node:net')
    for (const target of ${JSON.stringify(targets)}) {
      const [host, port] = target.split(':')
      const socket = net.connect({ host, port: Number(port), timeout: 2000 })
      const finish = (result) => { console.log(target + ' ' + result); socket.destroy() }
      socket.once('connect', () => finish('open'))
      socket.once('timeout', () => finish('timeout'))
      socket.once('error', (error) => finish(error.code))
    }`)}`

describe('the Compose stack', () => {
  let stack: Stack
  let caller: Caller
  let directory: string
  let bare: string
  let https: GitHttps

  beforeEach((context) => {
    if (missing) context.skip(missing)
    printLogsOnFailure(context, () => stack)
  })

  beforeAll(async () => {
    if (missing) return
    directory = await mkdtemp(path.join(tmpdir(), 'switchyard-test-stack-'))
    bare = await makeBareRepository(path.join(directory, 'served'), 'web', { 'a.txt': 'a\n' })
    const address = await bridgeAddress()
    https = await startGitHttps({
      directory: path.join(directory, 'tls'),
      root: path.dirname(bare),
      user: 'x-access-token',
      token: TOKEN,
      address,
    })
    stack = await defineStack(`switchyard-test-${process.pid}`, {
      MAX_CONCURRENT_TASKS: '2',
      TOOL_SANDBOX: 'required',
      ANTHROPIC_API_KEY: 'a-provider-key-of-mine',
      GIT_HTTPS_TOKENS: `${address}:${https.port}=${TOKEN}`,
      GIT_CA_FILE: https.caFile,
    })
    caller = createCaller(stack.url)
    await stack.up()
    await stack.shell('worker', makeRepository())
  })

  afterAll(async () => {
    await stack?.remove()
    await https?.close()
    if (directory) await rm(directory, { recursive: true, force: true })
  })

  it('starts healthy without a .env file', async () => {
    const containers = await stack.containers()
    const states = Object.fromEntries(containers.map(({ Service, State, Health }) => [Service, Health || State]))
    expect(states).toEqual({
      ...Object.fromEntries([...SERVICES, 'model'].map((name) => [name, 'healthy'])),
      secrets: 'exited',
    })
    // The worker reports the state of OpenCode every few seconds, so the api is ready a little
    // later than Compose reports.
    await expect
      .poll(() => caller.get('/ready').catch(String), { timeout: 20_000, interval: 250 })
      .toMatchObject({ ready: true })
  })

  it('runs a task in a scratch directory, streams its events, and stores its files and diff', async () => {
    const { task_id } = await caller.submit({
      task_description: `Greet. ${script([
        { tool: 'bash', args: { command: 'echo hello > greeting.txt', description: 'Write a greeting' } },
        { say: 'Greeted.' },
      ])}`,
      agent_id: 'compose-test',
    })
    const events = await caller.follow(task_id)
    expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1))
    expect(events[0]?.type).toBe('task_queued')
    expect(events.at(-1)?.type).toBe('task_completed')
    const task = await caller.ended(task_id)
    expect(task).toMatchObject({ status: 'completed', agent_id: 'compose-test', last_seq: events.length })
    expect(task.result).toMatchObject({
      output: 'Greeted.',
      files_changed: ['greeting.txt'],
      additions: 1,
      deletions: 0,
    })
    const list = (await caller.get(`/tasks/${task_id}/files`)) as FileList
    expect(list.entries.map(({ path }) => path)).toEqual(['greeting.txt'])
    const file = (await caller.get(`/tasks/${task_id}/files/content?path=greeting.txt`)) as FileContent
    expect(file.content).toBe('hello\n')
    const { diff } = (await caller.get(`/tasks/${task_id}/diff?format=json`)) as TaskDiff
    expect(diff).toContain('+hello')
  })

  it('fixes the failing test of a repository in two worktrees at the same time', async () => {
    const submit = () =>
      caller.submit({
        task_description: `Make the failing test pass. ${fixFailingTestScript()}`,
        project: `file://${REPOSITORY}`,
      })
    const accepted = await Promise.all([submit(), submit()])
    const tasks = await Promise.all(accepted.map(({ task_id }) => caller.ended(task_id)))
    for (const task of tasks) {
      expect(task).toMatchObject({ status: 'completed', error: null })
      expect(task.result).toMatchObject({ files_changed: ['sum.js'], additions: 1, deletions: 1 })
      const { diff } = (await caller.get(`/tasks/${task.task_id}/diff?format=json`)) as TaskDiff
      expect(diff).toContain('+export const sum = (a, b) => a + b')
    }
    expect(new Set(tasks.map(({ directory }) => directory)).size).toBe(2)
    expect(new Set(tasks.map(({ branch }) => branch)).size).toBe(2)
  })

  describeProjects(
    () => ({ stack, caller, https: { url: https.url('web.git'), bare, token: TOKEN } }),
    missing !== undefined,
  )

  describeToolSandbox(() => ({ stack, caller }))

  it('delivers a message to the running session', async () => {
    const { task_id } = await caller.submit({
      task_description: `Count. ${script([
        { tool: 'bash', args: { command: 'echo one', description: 'Count' } },
        { hold: 'steering' },
        { tool: 'bash', args: { command: 'echo two', description: 'Count on' } },
        { say: 'Message: {{last_user}}' },
      ])}`,
    })
    await expect
      .poll(async () => JSON.stringify(await caller.get(`/tasks/${task_id}/events`)), {
        timeout: 60_000,
        interval: 250,
      })
      .toContain('echo one')
    await caller.post(`/tasks/${task_id}/messages`, { message: 'stop at seven', message_type: 'guidance' })
    await stack.shell(
      'model',
      `node -e "fetch('http://127.0.0.1:8080/control/release/steering',{method:'POST'}).then(r=>process.exit(r.ok?0:1))"`,
    )
    const task = await caller.ended(task_id)
    expect(task.status).toBe('completed')
    expect(task.result?.output).toContain('stop at seven')
  })

  it('cancels a running task and stops all of its processes', async () => {
    const { task_id } = await caller.submit({
      task_description: `Wait. ${script([
        { tool: 'bash', args: { command: 'sleep 4321', description: 'Sleep' } },
        { say: 'Slept.' },
      ])}`,
    })
    const sleepers = async () => (await stack.shell('opencode', 'pgrep -fx "sleep 4321" || true')).trim()
    await expect.poll(sleepers, { timeout: 60_000, interval: 250 }).not.toBe('')
    await caller.post(`/tasks/${task_id}/control`, { control: 'cancel', reason: 'not needed' })
    expect(await caller.ended(task_id, 20_000)).toMatchObject({ status: 'cancelled' })
    await expect.poll(sleepers, { timeout: 10_000, interval: 250 }).toBe('')
  })

  it('runs every service without root, without capabilities and on a read-only root', async () => {
    for (const service of SERVICES)
      for (const container of await stack.inspect(service)) {
        expect(container.HostConfig, service).toMatchObject({ ReadonlyRootfs: true, CapDrop: ['ALL'] })
        expect(container.HostConfig.SecurityOpt, service).toContain('no-new-privileges:true')
        expect(container.Config.User, service).toMatch(/^(1000:1000|999:999)$/)
        for (const limit of ['Memory', 'NanoCpus', 'PidsLimit'] as const)
          expect(container.HostConfig[limit], `${service} ${limit}`).toBeGreaterThan(0)
        const root = await stack.shell(service, 'id -u; touch /probe 2>&1 || true; grep CapEff /proc/self/status')
        expect(root, service).toMatch(/^(1000|999)\n.*Read-only file system\nCapEff:\t0+\n$/)
      }
  })

  it('does not let OpenCode reach the stores, the api, the worker or the notifier', async () => {
    const addresses = async (service: string, port: number) =>
      (await stack.inspect(service)).flatMap(({ NetworkSettings }) =>
        Object.values(NetworkSettings.Networks).map(({ IPAddress }) => `${IPAddress}:${port}`),
      )
    const [opencode] = await stack.inspect('opencode')
    const gateways = Object.values(opencode?.NetworkSettings.Networks ?? {}).map(({ Gateway }) => Gateway)
    const targets = [
      ...['postgres:5432', 'valkey:6379', 'api:3456', 'worker:3457', 'worker:3456', 'notifier:3458'],
      ...(await addresses('postgres', 5432)),
      ...(await addresses('valkey', 6379)),
      ...(await addresses('api', 3456)),
      ...(await addresses('worker', 3457)),
      ...(await addresses('notifier', 3458)),
      ...gateways.flatMap((gateway) => (gateway === '' ? [] : [`${gateway}:${new URL(stack.url).port}`])),
      // A service of the host that the worker reaches.
      new URL(https.url('')).host,
    ]
    expect(targets.length).toBeGreaterThanOrEqual(10)
    const answers = (await stack.shell('opencode', probe(['egress:3128', ...targets]))).trim().split('\n')
    expect(answers).toHaveLength(targets.length + 1)
    // The proxy shows that the probe itself works. It comes first, because looking up unknown names
    // takes time.
    expect(answers.filter((answer) => answer.endsWith(' open'))).toEqual(['egress:3128 open'])
  })

  it('lets a task reach neither the host nor the metadata address nor a private one through the egress proxy', async () => {
    const host = new URL(https.url('')).host
    const targets = [`https://${host}/`, `http://${host}/`, 'http://169.254.169.254/', 'http://postgres:5432/']
    const request = (url: string) => `curl -sk -m 10 -o /dev/null -w "%{http_code}/%{http_connect} " ${url}`
    const direct = `curl -sk -m 3 --noproxy "*" -o /dev/null -w "%{http_code} " http://169.254.169.254/`
    const model = 'curl -s -o /dev/null -w "%{http_code}" http://model:8080/v1/models'
    const { task_id } = await caller.submit({
      task_description: script([
        { tool: 'bash', args: { command: [...targets.map(request), direct, model].join('; '), description: 'Look' } },
        { say: '{{last_tool_output}}' },
      ]),
    })
    const task = await caller.ended(task_id)
    expect(task).toMatchObject({ status: 'completed', error: null })
    // The proxy does not know the name of a service in another network.
    expect(task.result?.output.trim()).toBe('000/403 403/000 403/000 502/000 000 200')
  })

  it('does not let the api reach OpenCode', async () => {
    expect((await stack.shell('api', probe(['opencode:4096', 'postgres:5432']))).trim().split('\n').sort()).toEqual([
      'opencode:4096 ENOTFOUND',
      'postgres:5432 open',
    ])
  })

  it('gives OpenCode a token of the model gateway, and no key of a provider', async () => {
    const command = 'cat /proc/[0-9]*/environ /tmp/switchyard-setup/* 2>/dev/null | tr "\\0" "\\n"; env; true'
    const visible = await stack.shell('opencode', command)
    expect(visible).toContain('http://model-gateway:3459/providers/scripted')
    expect(visible).not.toMatch(/"apiKey": ?"scripted"|a-provider-key-of-mine/)
    const { task_id } = await caller.submit({ task_description: script([{ say: 'Done.' }]) })
    expect(await caller.ended(task_id)).toMatchObject({ status: 'completed' })
    // The gateway counted the calls of this task, and of no other one.
    const used = `psql -U switchyard -tAc "SELECT sum(requests) FROM model_usage WHERE task_id = '${task_id}'"`
    await expect.poll(async () => Number(await stack.shell('postgres', used))).toBe(1)
  })

  it("keeps credentials of the stores and the api out of the agent's environment", async () => {
    const { task_id } = await caller.submit({
      task_description: `Look around. ${script([
        {
          tool: 'bash',
          args: {
            command:
              'env > env.txt; ls -R /run/switchyard > secrets.txt; cat /proc/[0-9]*/environ | tr "\\0" "\\n" >> env.txt',
            description: 'Look',
          },
        },
        { say: 'Looked.' },
      ])}`,
    })
    expect(await caller.ended(task_id)).toMatchObject({ status: 'completed' })
    const read = async (name: string) =>
      ((await caller.get(`/tasks/${task_id}/files/content?path=${name}`)) as FileContent).content
    const env = await read('env.txt')
    expect(env).toContain('HOME=/home/agent')
    expect(env).not.toMatch(/DATABASE_URL|REDIS_URL|POSTGRES_|SWITCHYARD_(?!SERVER_ID=)|postgres:\/\/|redis:\/\//)
    expect(await read('secrets.txt')).not.toMatch(/postgres|valkey/)
  })

  it('restarts an OpenCode server that hangs, and continues its task', { timeout: 360_000 }, async () => {
    const { task_id } = await caller.submit({
      task_description: `Wait. ${script([
        { tool: 'bash', args: { command: 'sleep 1234', description: 'Sleep' } },
        { say: 'Done after the restart.' },
      ])}`,
    })
    const sleepers = async () => (await stack.shell('opencode', 'pgrep -fx "sleep 1234" || true')).trim()
    await expect.poll(sleepers, { timeout: 60_000, interval: 250 }).not.toBe('')
    await stack.shell('opencode', 'pkill -STOP -x opencode')
    const events = await caller.follow(task_id, 300_000)
    expect(events.map((event) => event.type)).toContain('task_recovered')
    expect(await caller.ended(task_id)).toMatchObject({ status: 'completed' })
    const [container] = await stack.inspect('opencode')
    expect(container?.RestartCount).toBe(1)
    expect(await sleepers()).toBe('')
  })

  it('distributes tasks among three workers', async () => {
    await stack.up(['--no-recreate', '--scale', 'worker=3'])
    expect((await stack.containers()).filter(({ Service }) => Service === 'worker')).toHaveLength(3)
    const accepted = await Promise.all(
      Array.from({ length: 9 }, (_, index) =>
        caller.submit({
          task_description: `Task ${index}. ${script([{ wait: 1_500 }, { say: `Did ${index}.` }])}`,
          agent_id: 'scale-test',
        }),
      ),
    )
    const workers = new Set<string>()
    for (const { task_id } of accepted) {
      expect(await caller.ended(task_id)).toMatchObject({ status: 'completed' })
      workers.add(await workerOf(stack, task_id))
    }
    expect(workers.size).toBeGreaterThanOrEqual(2)
  })

  it('stops within the grace period, and keeps every task after down and up', async () => {
    const before = (await caller.get('/tasks?limit=100')) as { tasks: readonly Task[] }
    const [sample] = before.tasks.filter(({ result }) => (result?.files_changed.length ?? 0) > 0)
    if (!sample) throw new Error('no task with a changed file')
    const events = await caller.get(`/tasks/${sample.task_id}/events?limit=1000`)
    const files = await caller.get(`/tasks/${sample.task_id}/files`)

    await stack.compose(['stop'], 120_000)
    for (const service of ['api', 'notifier', 'worker'])
      for (const { Name, State } of await stack.inspect(service))
        expect({ Name, ExitCode: State.ExitCode, OOMKilled: State.OOMKilled }).toEqual({
          Name,
          ExitCode: 0,
          OOMKilled: false,
        })
    await stack.compose(['down'], 120_000)
    expect(await stack.containers()).toEqual([])
    await stack.up()

    expect(await caller.get('/tasks?limit=100')).toEqual(before)
    expect(await caller.get(`/tasks/${sample.task_id}/events?limit=1000`)).toEqual(events)
    expect(await caller.get(`/tasks/${sample.task_id}/files`)).toEqual(files)
    const { task_id } = await caller.submit({ task_description: `Again. ${script([{ say: 'Still here.' }])}` })
    expect((await caller.ended(task_id)).result?.output).toBe('Still here.')
  })
})

/** Returns the worker that ran a task, from the database. */
const workerOf = async (stack: Stack, taskId: string): Promise<string> => {
  const query = `SELECT coalesce(worker_id, '') FROM tasks WHERE id = '${taskId}'`
  return (await stack.shell('postgres', `psql -U switchyard -d switchyard -At -c ${quoted(query)}`)).trim()
}
