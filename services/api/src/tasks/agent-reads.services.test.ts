import type { Task, TaskId } from '@switchyard/contracts'
import { readAgentViews } from '@switchyard/records'
import { createDatabase, type TestDatabase } from '@switchyard/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startApi, type TestApi } from '../api.fixture.ts'

const AGENT = 'agent-11111111-2222-4333-8444-555555555555'
const KEYS = 'letta:agent:a-token-of-letta-1,ops:operator:a-token-of-ops-12'
const LETTA = { authorization: 'Bearer a-token-of-letta-1' }
const OPS = { authorization: 'Bearer a-token-of-ops-12' }

let database: TestDatabase
let api: TestApi
beforeAll(async () => {
  database = await createDatabase()
  api = await startApi(database.url, { SWITCHYARD_API_KEYS: KEYS })
})
afterAll(async () => {
  await api.close()
  await database.drop()
})

const accept = async (body: Record<string, unknown> = {}) => {
  const input = { task_description: 'do it', agent_id: AGENT, ...body }
  return (await api.call<Task>('POST', '/tasks', { body: input, headers: LETTA })).body
}
const view = async (id: TaskId) => (await readAgentViews(api.records.db, [id])).get(id)
const end = (id: TaskId) =>
  api.write(id, { to: 'cancelled', events: [{ type: 'task_cancelled', message: 'cancelled', data: {} }] })
const get = (id: TaskId, query = '', headers: Record<string, string> = LETTA) =>
  api.call<Task>('GET', `/tasks/${id}${query}`, { headers })

describe("a waiting call of the task's agent", () => {
  it('is recorded while it runs, and its result afterwards', async () => {
    const { task_id: id } = await accept()
    const answering = get(id, '?wait_ms=20000')
    await expect.poll(() => view(id)).toEqual({ seenSeq: 0, waits: true })
    await end(id)
    expect((await answering).body.status).toBe('cancelled')
    expect(await view(id)).toEqual({ seenSeq: 2, waits: false })
  })

  it('is recorded from the call that created the task', async () => {
    const accepting = accept({ wait_ms: 20_000, idempotency_key: 'one' })
    const list = async () =>
      (await api.call<{ tasks: Task[] }>('GET', '/tasks?status=queued', { headers: LETTA })).body.tasks
    await expect.poll(async () => (await list()).length).toBe(1)
    const id = (await list())[0]?.task_id ?? 'task_'
    await expect.poll(() => view(id)).toEqual({ seenSeq: 0, waits: true })
    await end(id)
    await accepting
    expect(await view(id)).toEqual({ seenSeq: 2, waits: false })
  })

  it('records no read if nothing happened during the wait', async () => {
    const { task_id: id } = await accept()
    await get(id, '?wait_ms=50')
    expect(await view(id)).toBeUndefined()
  })

  it('is not recorded for another key or agent', async () => {
    const { task_id: id } = await accept()
    await end(id)
    await get(id, '?wait_ms=50', OPS)
    await get(id, '?wait_ms=50', { ...LETTA, 'x-agent-id': 'agent-of-another-kind' })
    expect(await view(id)).toBeUndefined()
  })
})

describe("a call of the task's agent without a wait", () => {
  it('is recorded if it names the agent and the task is in a notifiable state', async () => {
    const { task_id: id } = await accept()
    await get(id, '', { ...LETTA, 'x-agent-id': AGENT })
    expect(await view(id)).toBeUndefined()
    await end(id)
    await get(id)
    expect(await view(id)).toBeUndefined()
    await get(id, '', { ...LETTA, 'x-agent-id': AGENT })
    expect(await view(id)).toEqual({ seenSeq: 2, waits: false })
  })
})

it('is recorded when the agent cancels the task', async () => {
  const { task_id: id } = await accept()
  const headers = { ...LETTA, 'x-agent-id': AGENT }
  const { body } = await api.call('POST', `/tasks/${id}/control`, { body: { control: 'cancel' }, headers })
  expect(body).toMatchObject({ outcome: 'done', status: 'cancelled' })
  expect(await view(id)).toMatchObject({ waits: false, seenSeq: expect.any(Number) })
})

it('is not recorded for agents that get no notifications', async () => {
  const { task_id: id } = await accept({ agent_id: 'some agent' })
  await end(id)
  await get(id, '?wait_ms=50')
  expect(await view(id)).toBeUndefined()
})
