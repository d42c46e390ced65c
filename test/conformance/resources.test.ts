// Tasks as MCP resources: clients of both protocol versions read them, current ones can subscribe.

import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import type { Task, TaskId } from '@switchyard/contracts'
import { advance } from '@switchyard/records'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type RunningApi, startApi } from './api.ts'

const [OPS, ONE, TWO] = ['operator-token-0001', 'agent-token-number-1', 'agent-token-number-2']

let api: RunningApi
const opened: Client[] = []

beforeAll(async () => {
  api = await startApi({ SWITCHYARD_API_KEYS: `ops:operator:${OPS},one:agent:${ONE},two:agent:${TWO}` })
})
afterEach(async () => {
  for (const client of opened.splice(0)) await client.close()
})
afterAll(() => api.close())

const connect = async (token: string, mode: 'legacy' | { readonly pin: string } = { pin: '2026-07-28' }) => {
  const client = new Client({ name: 'test', version: '1.0.0' }, { versionNegotiation: { mode } })
  const requestInit = { headers: { authorization: `Bearer ${token}` } }
  await client.connect(new StreamableHTTPClientTransport(new URL(api.url), { requestInit }))
  opened.push(client)
  return client
}

const accept = async (client: Client): Promise<TaskId> => {
  const result = await client.callTool({ name: 'execute_task', arguments: { task_description: 'do it' } })
  return (result.structuredContent as { task_id: TaskId }).task_id
}

const progress = (taskId: TaskId, message: string) =>
  advance(api.records.db, { taskId, generation: null, events: [{ type: 'task_progress', message, data: {} }] })

/** Subscribes, and collects the URIs that the client is notified of. */
const subscribe = async (client: Client, ...ids: TaskId[]) => {
  const updated: string[] = []
  client.setNotificationHandler('notifications/resources/updated', ({ params }) => void updated.push(params.uri))
  await client.listen({ resourceSubscriptions: ids.map((id) => `switchyard://tasks/${id}`) })
  return updated
}

describe('a task as a resource', () => {
  it.each(['legacy', { pin: '2026-07-28' }] as const)('is listed and read (%j)', async (mode) => {
    const client = await connect(ONE, mode)
    const id = await accept(client)
    const uri = `switchyard://tasks/${id}`
    expect((await client.listResources()).resources).toContainEqual(expect.objectContaining({ uri, name: id }))
    expect((await client.listResourceTemplates()).resourceTemplates).toMatchObject([
      { uriTemplate: 'switchyard://tasks/{task_id}' },
    ])
    const [content] = (await client.readResource({ uri })).contents
    const record = JSON.parse(content && 'text' in content ? content.text : '{}') as Task & { events: unknown[] }
    expect(record).toMatchObject({ task_id: id, status: 'queued', events: [{ type: 'task_queued' }] })
  })

  it('is visible only to its owner and to operators', async () => {
    const [one, two, ops] = [await connect(ONE), await connect(TWO), await connect(OPS)]
    const uri = `switchyard://tasks/${await accept(one)}`
    await expect(two.readResource({ uri })).rejects.toThrow()
    await expect(one.readResource({ uri: 'switchyard://tasks/none' })).rejects.toThrow()
    expect((await ops.readResource({ uri })).contents).toHaveLength(1)
  })

  it('notifies subscribers of changes of their tasks only', async () => {
    const [one, two, ops] = [await connect(ONE), await connect(TWO), await connect(OPS)]
    const [mine, other] = [await accept(one), await accept(one)]
    const [toOne, toTwo, toOps] = [
      await subscribe(one, mine),
      await subscribe(two, mine),
      await subscribe(ops, mine, other),
    ]
    await progress(mine, 'first')
    await expect.poll(() => toOne).toContain(`switchyard://tasks/${mine}`)
    toOps.length = 0
    await progress(other, 'second')
    await expect.poll(() => toOps).toContain(`switchyard://tasks/${other}`)
    expect(new Set(toOne)).toEqual(new Set([`switchyard://tasks/${mine}`]))
    expect(toTwo).toEqual([])
  })
})
