// Recovery in Docker mode: a killed worker, a lost container, and containers of earlier runs.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { Task, TaskEvent } from '@switchyard/contracts'
import { createDatabase, script, startRedis, whyNoRedis } from '@switchyard/testing'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { startService } from '../chaos/service.ts'
import { type Caller, createCaller } from '../compose/caller.ts'
import { docker } from '../compose/docker.ts'
import { type ContainerModel, containersOf, startContainerModel, whyNoContainers } from './docker-system.ts'

const missing = (await whyNoContainers()) ?? (await whyNoRedis())

const SECOND = 1_000
const TEST_MS = 240 * SECOND
const bash = (command: string) => ({ tool: 'bash', args: { command, description: command } })

describe('Docker mode', { timeout: TEST_MS }, () => {
  const closing: (() => Promise<unknown>)[] = []
  let caller: Caller
  let model: ContainerModel
  let startWorker: () => ReturnType<typeof startService>
  /** The worker that runs the tasks. */
  let worker: ReturnType<typeof startService>

  const events = async (id: string) =>
    ((await caller.get(`/tasks/${id}/events?limit=1000`)) as { events: TaskEvent[] }).events
  const read = async (id: string) => (await caller.get(`/tasks/${id}`)) as Task
  const eventually = (what: () => unknown) => expect.poll(what, { timeout: 90 * SECOND, interval: 100 })
  const untilFirstStep = (id: string) =>
    eventually(async () => (await events(id)).filter((event) => event.data.kind === 'step').length).toBe(1)
  const ended = async (id: string) => {
    await eventually(async () => (await read(id)).completed_at).not.toBeNull()
    return await read(id)
  }

  beforeEach((context) => {
    if (missing) context.skip(missing)
  })

  beforeAll(async () => {
    if (missing) return
    const home = await mkdtemp(path.join(tmpdir(), 'switchyard-test-'))
    closing.push(() => rm(home, { recursive: true, force: true }))
    const database = await createDatabase()
    closing.push(database.drop)
    const redis = await startRedis()
    closing.push(redis.stop)
    model = await startContainerModel()
    closing.push(model.close)
    const env = {
      PATH: process.env.PATH ?? '',
      HOME: home,
      HOST: '127.0.0.1',
      PORT: '0',
      WORKER_PORT: '0',
      SWITCHYARD_HOME: home,
      DATABASE_URL: database.url,
      REDIS_URL: redis.url,
      OPENCODE_SERVER_ENABLED: 'false',
      ...model.env,
    }
    let count = 0
    startWorker = () => {
      count += 1
      const worker = startService({
        name: `worker-${count}`,
        main: 'services/worker/src/main.ts',
        env,
        logFile: path.join(home, `worker-${count}.log`),
        readyMessage: 'worker ready',
      })
      closing.push(() => worker.stop())
      return worker
    }
    const api = startService({
      name: 'api',
      main: 'services/api/src/main.ts',
      env,
      logFile: path.join(home, 'api.log'),
      readyMessage: 'api listening',
    })
    closing.push(() => api.stop())
    caller = createCaller(String((await api.ready).url))
  })

  afterAll(async () => {
    for (const step of closing.splice(0).reverse()) await step()
  })

  it('completes the task of a killed worker from the container that kept running', async () => {
    const first = startWorker()
    await first.ready
    const { task_id } = await caller.submit({
      task_description: script([
        bash('echo one > one.txt'),
        { hold: 'orphan' },
        bash('echo two > two.txt'),
        { say: 'both' },
      ]),
    })
    await untilFirstStep(task_id)
    const [before] = await containersOf(task_id)
    await first.kill()
    // The container ends while no worker runs.
    model.release('orphan')
    await eventually(async () => (await containersOf(task_id))[0]?.State.Status).toBe('exited')
    worker = startWorker()
    const task = await ended(task_id)
    expect(task).toMatchObject({
      status: 'completed',
      attempt: 2,
      result: { output: 'both', files_changed: ['one.txt', 'two.txt'], usage: { input: 300 }, exit_code: 0 },
    })
    const told = await events(task_id)
    expect(told.map((event) => event.seq)).toEqual(told.map((_, at) => at + 1))
    expect(told.filter((event) => event.type === 'task_started')).toMatchObject([
      { data: { container_id: before?.Id } },
    ])
    expect(told.filter((event) => event.data.kind === 'step')).toHaveLength(3)
    await eventually(() => containersOf(task_id)).toEqual([])
  })

  it('recovers a task whose container was killed, in the same session', async () => {
    const { task_id } = await caller.submit({
      task_description: script([bash('echo one > one.txt'), { hold: 'lost' }, { say: 'went on' }]),
    })
    await untilFirstStep(task_id)
    const { session_id } = await read(task_id)
    const [container] = await containersOf(task_id)
    await docker(['kill', container?.Id ?? ''])
    model.release('lost')
    const task = await ended(task_id)
    expect(task).toMatchObject({ status: 'completed', session_id, result: { files_changed: ['one.txt'] } })
    expect((await events(task_id)).filter((event) => event.type === 'task_recovered')).toHaveLength(1)
  })

  it('does not repeat the prompt of a container that ended while no worker ran', async () => {
    const { task_id } = await caller.submit({
      task_description: script([bash('echo one >> one.txt'), { hold: 'pruned' }, { say: 'went on' }]),
    })
    await untilFirstStep(task_id)
    const [container] = await containersOf(task_id)
    await worker.kill()
    await docker(['rm', '--force', container?.Id ?? ''])
    model.release('pruned')
    worker = startWorker()
    expect(await ended(task_id)).toMatchObject({ status: 'completed', attempt: 2, result: { output: 'went on' } })
    expect((await events(task_id)).filter((event) => event.type === 'task_recovered')).toHaveLength(1)
    expect(await caller.get(`/tasks/${task_id}/files/content?path=one.txt`)).toMatchObject({ content: 'one\n' })
  })

  it('repeats a message whose container was killed before the session received it', async () => {
    const { task_id } = await caller.submit({
      task_description: script([
        bash('echo x'),
        { hold: 'undelivered' },
        { say: 'first' },
        { say: 'received: {{last_user}}' },
      ]),
    })
    await untilFirstStep(task_id)
    const [first] = await containersOf(task_id)
    await caller.post(`/tasks/${task_id}/messages`, { message: 'use tabs' })
    model.release('undelivered')
    const second = async () =>
      (await containersOf(task_id)).find(({ Id, State }) => Id !== first?.Id && State.Status === 'running')?.Id
    await eventually(second).toBeDefined()
    await docker(['kill', (await second()) ?? ''])
    expect(await ended(task_id)).toMatchObject({ status: 'completed', result: { output: 'received: use tabs' } })
    expect((await events(task_id)).filter((event) => event.type === 'task_recovered')).toHaveLength(1)
  })

  it('does not take an earlier answer for the answer of a removed container', async () => {
    const { task_id } = await caller.submit({
      task_description: script([
        bash('echo x'),
        { hold: 'earlier' },
        { say: 'first' },
        bash('echo y'),
        { hold: 'later' },
        { say: 'second' },
      ]),
    })
    await untilFirstStep(task_id)
    const [first] = await containersOf(task_id)
    await caller.post(`/tasks/${task_id}/messages`, { message: 'go on' })
    model.release('earlier')
    await eventually(async () => (await events(task_id)).filter((event) => event.data.kind === 'step').length).toBe(3)
    const second = (await containersOf(task_id)).find(({ Id }) => Id !== first?.Id)
    await worker.kill()
    await docker(['rm', '--force', second?.Id ?? ''])
    model.release('later')
    worker = startWorker()
    expect(await ended(task_id)).toMatchObject({ status: 'completed', result: { output: 'second' } })
    expect((await events(task_id)).filter((event) => event.type === 'task_recovered')).toHaveLength(1)
  })

  it('removes the containers of closed tasks at start, and leaves all others alone', async () => {
    const { task_id } = await caller.submit({
      task_description: script([bash('echo x'), { hold: 'kept' }, { say: 'x' }]),
    })
    await untilFirstStep(task_id)
    const [container] = await containersOf(task_id)
    const stack = container?.Config.Labels['switchyard.stack']
    const idle = (labels: readonly string[]) =>
      docker([
        'run',
        '--detach',
        ...labels.flatMap((label) => ['--label', label]),
        '--entrypoint',
        'sleep',
        'debian:bookworm-slim',
        '600',
      ])
    const leftOver = (await idle([`switchyard.stack=${stack}`, 'switchyard.task=task_of_long_ago'])).trim()
    const ofAnother = (await idle(['switchyard.stack=another', 'switchyard.task=task_of_another'])).trim()
    closing.push(() => docker(['rm', '--force', ofAnother]))
    startWorker()
    await eventually(() => containersOf('task_of_long_ago')).toEqual([])
    expect(leftOver).not.toBe('')
    expect(await containersOf('task_of_another')).toHaveLength(1)
    expect((await containersOf(task_id))[0]?.State.Status).toBe('running')
    model.release('kept')
    expect((await ended(task_id)).status).toBe('completed')
  })
})
