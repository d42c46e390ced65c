import {
  newWorkerId,
  type Problem,
  type QueueName,
  type RolloutReport,
  type Task,
  type TaskEvent,
  type TaskId,
} from '@switchyard/contracts'
import { reportWorker } from '@switchyard/records'
import { createDatabase, type TestDatabase } from '@switchyard/testing'
import { sql } from 'kysely'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { startApi, type TestApi } from '../api.fixture.ts'

const OPS = 'operator-token-0123456789'
const AGENT = 'agent-token-0123456789'
const KEYS = { SWITCHYARD_API_KEYS: `ops:operator:${OPS},ann:agent:${AGENT}` }
const as = (token: string) => ({ authorization: `Bearer ${token}` })

let database: TestDatabase
const apis: TestApi[] = []

beforeEach(async () => {
  database = await createDatabase()
})

afterEach(async () => {
  await Promise.all(apis.splice(0).map((api) => api.close()))
  await database.drop()
})

const start = async (env: Record<string, string> = {}): Promise<TestApi> => {
  const api = await startApi(database.url, env)
  apis.push(api)
  return api
}

/** Registers a worker whose heartbeat stays valid for an hour. */
const addWorker = async ({ records }: TestApi, ...queueNames: readonly QueueName[]) => {
  const id = newWorkerId()
  await reportWorker(records.db, { id, hostname: 'test', concurrency: 1, queueNames })
  await sql`UPDATE workers SET heartbeat_at = now() + interval '1 hour' WHERE id = ${id}`.execute(records.db)
  return id
}

const report = async (api: TestApi): Promise<RolloutReport> => (await api.call<RolloutReport>('GET', '/rollout')).body
const change = async (api: TestApi, body: unknown) => {
  const reply = await api.call<RolloutReport>('PUT', '/rollout', { body })
  expect(reply).toMatchObject({ status: 200 })
  return reply.body
}
const record = async (api: TestApi, id: string) => (await api.call<Task>('GET', `/tasks/${id}`)).body
const eventsOf = async (api: TestApi, id: string) =>
  (await api.call<{ events: TaskEvent[] }>('GET', `/tasks/${id}/events`)).body.events
const metrics = async (api: TestApi) => (await api.call<string>('GET', '/metrics')).body

/** Ends a task as its worker does. */
const end = async (api: TestApi, id: TaskId, code?: 'opencode_unavailable' | 'model_error') => {
  await api.write(id, { to: 'preparing', set: { started_at: new Date() } })
  await api.write(id, { to: 'running', events: [{ type: 'task_started', message: 'started', data: {} }] })
  if (code === undefined) await api.write(id, { to: 'completed' })
  else await api.write(id, { to: 'failed', set: { error: { code, message: code, retryable: true } } })
}

describe('rollout settings', () => {
  it('come from the environment at the first start, and from the database afterwards', async () => {
    const first = await start({ OPENCODE_ROLLOUT_PERCENT: '40' })
    expect(await report(first)).toMatchObject({
      percent: 40,
      pools: { blue: 100, green: 0 },
      fixed: null,
      server_enabled: true,
      changed: { by: 'environment' },
      breaker: { state: 'closed', side: null },
    })
    await change(first, { percent: 60, reason: 'more' })
    expect(await report(await start({ OPENCODE_ROLLOUT_PERCENT: '10' }))).toMatchObject({ percent: 60 })
  })

  it('record who changed them, when and why, and keep settings that are not given', async () => {
    const api = await start(KEYS)
    const put = async (body: unknown) => await api.call('PUT', '/rollout', { body, headers: as(OPS) })
    await put({ percent: 10, reason: 'first tenth' })
    await put({ pools: { green: 25 }, reason: 'try the new version' })
    const { body } = await put({ fixed: 'percent', reason: 'no breaker tonight' })
    expect(body).toMatchObject({
      percent: 10,
      pools: { blue: 75, green: 25 },
      fixed: 'percent',
      changed: { by: 'ops', reason: 'no breaker tonight' },
      history: [
        { by: 'ops', reason: 'no breaker tonight', percent: 10, pools: { green: 25 }, fixed: 'percent' },
        { by: 'ops', reason: 'try the new version', percent: 10, pools: { green: 25 }, fixed: null },
        { by: 'ops', reason: 'first tenth', percent: 10, pools: { green: 0 } },
        { by: 'environment', percent: 100 },
      ],
    })
  })

  it('require an operator key', async () => {
    const api = await start(KEYS)
    const body = { percent: 1, reason: 'x' }
    const forbidden = { status: 403, body: { code: 'forbidden' } }
    expect(await api.call('GET', '/rollout', { headers: as(AGENT) })).toMatchObject(forbidden)
    expect(await api.call('PUT', '/rollout', { headers: as(AGENT), body })).toMatchObject(forbidden)
    expect(await api.call('GET', '/rollout')).toMatchObject({ status: 401 })
  })

  it.each([
    [{ percent: 101, reason: 'x' }, 'percent'],
    [{ percent: 0.5, reason: 'x' }, 'percent'],
    [{ percent: 10 }, 'reason'],
    [{ percent: 10, reason: '  ' }, 'reason'],
    [{ reason: 'x' }, 'changes nothing'],
    [{ pools: { blue: 60, green: 60 }, reason: 'x' }, '100'],
    [{ pools: {}, reason: 'x' }, 'no pool'],
    [{ pools: { red: 10 }, reason: 'x' }, 'red'],
    [{ fixed: 'both', reason: 'x' }, 'fixed'],
    [{ precent: 10, reason: 'x' }, 'precent'],
  ])('reject %j', async (body, named) => {
    const api = await start()
    const refused = await api.call<Problem>('PUT', '/rollout', { body })
    expect(refused).toMatchObject({ status: 400, body: { code: 'invalid_request' } })
    expect(refused.body.detail).toContain(named)
  })

  it('cannot send tasks to servers that are disabled', async () => {
    const api = await start({ OPENCODE_SERVER_ENABLED: 'false' })
    expect(await api.call('PUT', '/rollout', { body: { percent: 10, reason: 'x' } })).toMatchObject({
      status: 400,
      body: { code: 'not_supported' },
    })
    expect(await api.call('POST', '/tasks', { body: { task_description: 'x', mode: 'opencode' } })).toMatchObject({
      status: 400,
      body: { code: 'not_supported' },
    })
    expect(await api.accept()).toMatchObject({ mode: 'docker', mode_reason: 'server_disabled', pool: null })
    const asks = { task_description: 'x', permissions: 'ask' }
    expect(await api.call('POST', '/tasks', { body: asks })).toMatchObject({ body: { code: 'not_supported' } })
    // Servers that are enabled later get no tasks until an operator raises the percentage.
    expect(await report(await start())).toMatchObject({ percent: 0, server_enabled: true })
  })

  it('reach every api process within two seconds', async () => {
    const [one, two] = [await start(), await start()]
    await addWorker(one, 'blue', 'docker')
    expect(await two.accept()).toMatchObject({ mode: 'opencode' })
    await change(one, { percent: 0, reason: 'back' })
    expect(await one.accept()).toMatchObject({ mode: 'docker' })
    await expect.poll(async () => (await two.accept()).mode).toBe('docker')
  })
})

describe('a new task', () => {
  it('has the decision and its reason in its record and first event', async () => {
    const api = await start({ OPENCODE_ROLLOUT_PERCENT: '50' })
    await addWorker(api, 'blue', 'docker')
    const tasks = await Promise.all(Array.from({ length: 40 }, (_, n) => api.accept({ agent_id: `agent-${n}` })))
    expect(new Set(tasks.map(({ mode }) => mode))).toEqual(new Set(['opencode', 'docker']))
    for (const { task_id, mode, pool, mode_reason, mode_detail } of tasks.slice(0, 4)) {
      expect([pool, mode_reason]).toEqual([mode === 'docker' ? null : 'blue', 'rollout'])
      expect(mode_detail).toContain('50 %')
      expect((await eventsOf(api, task_id))[0]?.data).toMatchObject({ mode, pool, mode_reason, mode_detail })
    }
    const again = await Promise.all(Array.from({ length: 40 }, (_, n) => api.accept({ agent_id: `agent-${n}` })))
    expect(again.map(({ mode }) => mode)).toEqual(tasks.map(({ mode }) => mode))
  })

  it('without an agent is distributed by its own id', async () => {
    const api = await start({ OPENCODE_ROLLOUT_PERCENT: '50' })
    await addWorker(api, 'blue', 'docker')
    const tasks = await Promise.all(Array.from({ length: 40 }, () => api.accept()))
    expect(new Set(tasks.map(({ mode }) => mode))).toEqual(new Set(['opencode', 'docker']))
  })

  it('goes to the other side while its own has no live worker, with the reason', async () => {
    const env = { OPENCODE_ROLLOUT_PERCENT: '0' }
    await addWorker(await start(env), 'blue')
    // An api that starts when workers are live does not wait for more.
    const api = await start(env)
    expect(await api.accept()).toMatchObject({ mode: 'opencode', pool: 'blue', mode_reason: 'no_worker' })
    expect((await report(api)).warnings).toEqual([expect.stringContaining('docker')])
  })

  it('that sends requests runs on servers, because docker mode does not support requests', async () => {
    const api = await start({ OPENCODE_ROLLOUT_PERCENT: '0' })
    await addWorker(api, 'blue', 'docker')
    expect(await api.accept({ permissions: 'ask' })).toMatchObject({ mode: 'opencode', mode_reason: 'docker_cannot' })
    const body = { task_description: 'x', permissions: 'ask', mode: 'docker' }
    expect(await api.call('POST', '/tasks', { body })).toMatchObject({ status: 400, body: { code: 'not_supported' } })
  })

  it('gets the mode that an operator requests if a worker serves it', async () => {
    const api = await start()
    expect(await api.call('POST', '/tasks', { body: { task_description: 'x', mode: 'docker' } })).toMatchObject({
      status: 400,
      body: { code: 'not_supported' },
    })
    await addWorker(api, 'docker')
    await expect
      .poll(async () => await api.accept({ mode: 'docker' }))
      .toMatchObject({ mode: 'docker', mode_reason: 'asked', pool: null })
  })
})

describe('a pool', () => {
  it('that is drained loses its waiting tasks and keeps those with a session', async () => {
    const api = await start()
    await addWorker(api, 'blue')
    await addWorker(api, 'green')
    await change(api, { pools: { green: 100 }, reason: 'the new version' })
    const [waits, paused, held] = [await api.accept(), await api.accept(), await api.accept()]
    expect([waits, paused, held].map(({ pool }) => pool)).toEqual(['green', 'green', 'green'])
    await api.write(paused.task_id, { to: 'paused' })
    await api.write(held.task_id, { to: 'preparing', set: { session_id: 'ses_1' } })
    await api.write(held.task_id, { to: 'running' })
    const { sides } = await change(api, { pools: { green: 0 }, reason: 'it leaks' })
    expect(sides).toMatchObject([{ pool: 'blue', share: 100 }, { pool: 'green', share: 0 }, { pool: null }])
    for (const { task_id } of [waits, paused]) {
      await expect.poll(async () => (await record(api, task_id)).pool).toBe('blue')
      const events = await eventsOf(api, task_id)
      expect(events.at(-1)).toMatchObject({
        type: 'task_progress',
        message: 'moved from pool green to pool blue: it is drained',
        data: { kind: 'pool', from: 'green', to: 'blue' },
      })
      expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1))
    }
    expect((await record(api, held.task_id)).pool).toBe('green')
    expect((await report(api)).sides[1]).toMatchObject({ pool: 'green', state: 'draining', running: 1, queued: 0 })
    await api.write(held.task_id, { to: 'completed' })
    expect((await report(api)).sides[1]).toMatchObject({ state: 'drained' })
  })

  it('without a live worker hands its waiting and new tasks to the other pool', async () => {
    const first = await start()
    await change(first, { pools: { green: 100 }, reason: 'before its workers are there' })
    // Without any live worker, the task waits where the settings send it.
    const task = await first.accept()
    expect(task).toMatchObject({ pool: 'green' })
    await addWorker(first, 'blue')
    await expect.poll(async () => (await record(first, task.task_id)).pool).toBe('blue')
    expect((await eventsOf(first, task.task_id)).at(-1)?.message).toContain('no live worker')
    expect(await first.accept()).toMatchObject({ pool: 'blue', mode_detail: expect.stringContaining('green') })
    expect((await report(first)).warnings).toEqual([expect.stringContaining('pool green')])
  })
})

describe('the comparison of sides', () => {
  it('reports tasks, success rate, error codes and times by mode and pool, also in the metrics', async () => {
    const api = await start()
    await addWorker(api, 'blue', 'docker')
    const [good, bad, ill, cancelled] = [await api.accept(), await api.accept(), await api.accept(), await api.accept()]
    await end(api, good.task_id)
    await end(api, bad.task_id, 'model_error')
    await end(api, ill.task_id, 'opencode_unavailable')
    await api.write(cancelled.task_id, { to: 'cancelled' })
    const docker = await api.accept({ mode: 'docker' })
    await end(api, docker.task_id)
    const { window, since_change } = await report(api)
    expect(window.sides).toMatchObject([
      {
        mode: 'opencode',
        pool: 'blue',
        tasks: 4,
        completed: 1,
        failed: 2,
        cancelled: 1,
        success_rate: 1 / 3,
        infrastructure_failures: 1,
        error_codes: { model_error: 1, opencode_unavailable: 1 },
      },
      { mode: 'docker', pool: null, tasks: 1, completed: 1, success_rate: 1, error_codes: {} },
    ])
    for (const side of window.sides)
      for (const times of [side.first_event_ms, side.run_ms]) {
        expect(times.p50).toBeGreaterThanOrEqual(0)
        expect(times.p95).toBeGreaterThanOrEqual(times.p50 ?? Number.POSITIVE_INFINITY)
      }
    expect(since_change.sides).toEqual(window.sides)
    const text = await metrics(api)
    expect(text).toContain('switchyard_rollout_percent 100')
    expect(text).toContain('switchyard_rollout_tasks{span="window",mode="opencode",pool="blue",status="failed"} 2')
    expect(text).toContain(
      'switchyard_rollout_errors{span="since_change",mode="opencode",pool="blue",code="model_error"} 1',
    )
    expect(text).toMatch(/switchyard_rollout_run_seconds\{span="window",mode="docker",pool="",quantile="0.95"\} 0/)
    await change(api, { percent: 90, reason: 'start a new comparison' })
    expect((await report(api)).since_change.sides).toEqual([])
  })
})

describe('the breaker', () => {
  const QUICK = {
    OPENCODE_ROLLOUT_MIN_TASKS: '4',
    OPENCODE_ROLLOUT_COOLDOWN_MS: '100',
    OPENCODE_ROLLOUT_PROBES: '2',
  }
  const stateOf = async (api: TestApi) => (await report(api)).breaker.state
  const until = async (api: TestApi, state: string) =>
    await expect.poll(async () => await stateOf(api), { interval: 50 }).toBe(state)

  it('sends new tasks to the other side, probes, and closes when the probes succeed', async () => {
    const api = await start({ ...QUICK, OPENCODE_ROLLOUT_COOLDOWN_MS: '2000' })
    await addWorker(api, 'blue', 'docker')
    for (let n = 0; n < 4; n++) await end(api, (await api.accept()).task_id, 'opencode_unavailable')
    await until(api, 'open')
    expect(await api.accept()).toMatchObject({ mode: 'docker', mode_reason: 'breaker' })
    expect(await metrics(api)).toContain('switchyard_rollout_breaker{mode="opencode"} 1')
    const { history, sides, breaker } = await report(api)
    expect(history[0]).toMatchObject({ by: 'breaker', breaker: 'open', breaker_side: 'opencode' })
    expect(history[0]?.reason).toContain('4 of 4')
    expect(sides).toMatchObject([{ share: 0 }, { share: 0 }, { mode: 'docker', share: 100 }])
    expect(Date.parse(breaker.next_probe_at ?? '')).toBe(Date.parse(breaker.since) + 2_000)

    await until(api, 'half_open')
    const tries = [await api.accept(), await api.accept(), await api.accept()]
    expect(tries.map(({ mode_reason }) => mode_reason)).toEqual(['probe', 'probe', 'breaker'])
    for (const { task_id } of tries.slice(0, 2)) await end(api, task_id)
    await until(api, 'closed')
    expect(await api.accept()).toMatchObject({ mode: 'opencode', mode_reason: 'rollout' })
    expect((await report(api)).history.map((entry) => entry.breaker)).toEqual(['closed', 'half_open', 'open', 'closed'])
  })

  it('opens even if the failing side has no live worker, also at 100 %', async () => {
    const api = await start(QUICK)
    await addWorker(api, 'docker')
    for (let n = 0; n < 4; n++) {
      const { task_id, mode } = await api.accept()
      expect(mode).toBe('opencode')
      await end(api, task_id, 'opencode_unavailable')
    }
    await until(api, 'open')
    expect(await api.accept()).toMatchObject({ mode: 'docker', mode_reason: 'breaker' })
  })

  it('has one state in all api processes, and changes it once', async () => {
    const all = [await start(QUICK), await start(QUICK), await start(QUICK)]
    const [api] = all
    if (!api) throw new Error('none')
    await addWorker(api, 'blue', 'docker')
    for (let n = 0; n < 4; n++) await end(api, (await api.accept()).task_id, 'opencode_unavailable')
    await until(api, 'half_open')
    const tries = await Promise.all(all.flatMap((one) => [one.accept(), one.accept()]))
    expect(tries.filter(({ mode_reason }) => mode_reason === 'probe').length).toBeLessThanOrEqual(2)
    const { history } = await report(api)
    expect(history.map((entry) => entry.breaker)).toEqual(['half_open', 'open', 'closed'])
  })

  it('ignores failures of the agent, and does nothing while a side is fixed', async () => {
    const api = await start(QUICK)
    await addWorker(api, 'blue', 'docker')
    for (let n = 0; n < 6; n++) await end(api, (await api.accept()).task_id, 'model_error')
    await change(api, { fixed: 'percent', reason: 'by hand' })
    for (let n = 0; n < 6; n++) await end(api, (await api.accept()).task_id, 'opencode_unavailable')
    await change(api, { fixed: 'docker', reason: 'by hand' })
    expect(await api.accept()).toMatchObject({ mode: 'docker', mode_reason: 'fixed' })
    await change(api, { fixed: 'opencode', reason: 'by hand' })
    expect(await api.accept()).toMatchObject({ mode: 'opencode', mode_reason: 'fixed' })
    // When no side is fixed any more, the breaker counts from then on and ignores earlier failures.
    await change(api, { fixed: null, reason: 'the breaker again' })
    await end(api, (await api.accept()).task_id)
    expect(await stateOf(api)).toBe('closed')
    expect((await report(api)).history.filter(({ by }) => by === 'breaker')).toEqual([])
  })
})
