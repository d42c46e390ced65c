import type { TaskId } from '@switchyard/contracts'
import {
  beginAgentCall,
  endAgentCall,
  listLiveNotifiers,
  noteSeen,
  replyToRequest,
  retryDelivery,
} from '@switchyard/records'
import { type LettaServer, startLettaServer, startWebhookReceiver } from '@switchyard/testing'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { event, startTestNotifier, type TestNotifier } from './notifier.fixture.ts'

let letta: LettaServer
let notifier: TestNotifier
let agentId: string

beforeEach(async () => {
  letta = await startLettaServer()
  letta.setToken('a token')
  agentId = letta.addAgent()
  notifier = await startTestNotifier({ LETTA_API_URL: letta.url, LETTA_API_TOKEN: 'a token' })
  await notifier.start()
})
afterEach(async () => {
  await notifier.close()
  expect(letta.faults).toEqual([])
  await letta.close()
})

const accept = (options: Parameters<TestNotifier['accept']>[0] = {}) =>
  notifier.accept({ agent_id: agentId, ...options })
const states = async () =>
  (await notifier.deliveries()).map(({ type, state, failure }) => [type, state, failure?.code ?? null])
const deliveries = () => expect.poll(states, { timeout: 15_000, interval: 100 })
const texts = () => letta.messages.map(({ content }) => content)

describe('Letta notifications', () => {
  it('notifies the agent of the end of its task, once', async () => {
    const id = await accept()
    await notifier.addEvents(id, event('task_started'), event('task_progress'))
    await notifier.cancel(id)
    await deliveries().toEqual([['task_cancelled', 'delivered', null]])
    expect(texts()).toEqual([expect.stringContaining(`Task ${id} has ended: cancelled.`)])
    const [delivery] = await notifier.deliveries({ destination: 'letta' })
    expect(letta.messages[0]).toMatchObject({ agentId, role: 'system', otid: delivery?.delivery_id })
  })

  it('notifies the agent of a request and how to answer it', async () => {
    const id = await accept()
    const request = await notifier.openRequest(id)
    await deliveries().toEqual([['task_input_required', 'delivered', null]])
    expect(texts()[0]).toContain('May the agent use bash?')
    expect(texts()[0]).toContain(`request_id ${request.id}`)
  })

  it('sends nothing to an agent that is not one of Letta', async () => {
    await notifier.cancel(await notifier.accept({ agent_id: 'agent-of-another-kind' }))
    await notifier.cancel(await accept())
    await deliveries().toEqual([['task_cancelled', 'delivered', null]])
    expect(letta.messages).toHaveLength(1)
  })

  it('sends one message at a time, after the current run of the agent', async () => {
    letta.endRuns(false)
    letta.startRun(agentId)
    const tasks = [await accept(), await accept(), await accept()]
    for (const id of tasks) await notifier.cancel(id)
    await deliveries().toContainEqual(['task_cancelled', 'pending', 'agent_busy'])
    expect(letta.messages).toEqual([])
    for (const count of [1, 2, 3]) {
      letta.finishRuns()
      await expect.poll(() => letta.messages.length, { timeout: 10_000 }).toBe(count)
    }
    letta.finishRuns()
    await deliveries().toEqual(tasks.map(() => ['task_cancelled', 'delivered', null]))
  })

  it('does not delay other destinations while an agent is busy', async () => {
    const receiver = await startWebhookReceiver()
    letta.startRun(agentId)
    const other = letta.addAgent()
    await notifier.cancel(await accept({ callback_url: receiver.url }))
    await notifier.cancel(await notifier.accept({ agent_id: other }))
    await expect.poll(() => letta.messages.map((message) => message.agentId), { timeout: 10_000 }).toEqual([other])
    await expect.poll(() => receiver.calls.length).toBe(1)
    letta.finishRuns()
    await expect.poll(() => letta.messages.length, { timeout: 10_000 }).toBe(2)
    await receiver.close()
  })
})

describe('Letta notifications of an agent that has read the event', () => {
  const db = () => notifier.records.db
  const waitIn = (id: TaskId) => beginAgentCall(db(), id, 60_000)

  it('skips an event that a waiting call returns', async () => {
    const id = await accept()
    const call = await waitIn(id)
    await notifier.cancel(id)
    await deliveries().toEqual([['task_cancelled', 'pending', 'agent_in_call']])
    await endAgentCall(db(), call, 2)
    await deliveries().toEqual([['task_cancelled', 'skipped', 'seen_in_call']])
    expect(letta.messages).toEqual([])
  })

  it('sends the event if the waiting call ends without it', async () => {
    const id = await accept()
    const call = await waitIn(id)
    await notifier.cancel(id)
    await deliveries().toEqual([['task_cancelled', 'pending', 'agent_in_call']])
    await endAgentCall(db(), call, null)
    await deliveries().toEqual([['task_cancelled', 'delivered', null]])
  })

  it('sends the event if the api stops during the waiting call', async () => {
    const id = await accept()
    await beginAgentCall(db(), id, 1_500)
    await notifier.cancel(id)
    await deliveries().toEqual([['task_cancelled', 'delivered', null]])
  })

  it('sends the events after the last one that the agent has read', async () => {
    const id = await accept()
    await noteSeen(db(), id, 1)
    await notifier.cancel(id)
    await deliveries().toEqual([['task_cancelled', 'delivered', null]])
  })

  it('skips a request that has been answered', async () => {
    letta.startRun(agentId)
    const id = await accept()
    const request = await notifier.openRequest(id)
    await deliveries().toEqual([['task_input_required', 'pending', 'agent_busy']])
    const answer = event('task_input_answered', { request_id: request.id })
    await replyToRequest(db(), id, request.id, { reply: 'once', message: null }, 'me', answer)
    letta.finishRuns()
    await deliveries().toEqual([['task_input_required', 'skipped', 'no_longer_asked']])
    expect(letta.messages).toEqual([])
  })
})

describe('failed Letta notifications', () => {
  it('are retried until the token is valid', async () => {
    letta.setToken('another token')
    await notifier.cancel(await accept())
    await deliveries().toEqual([['task_cancelled', 'pending', 'letta_token_refused']])
    const [delivery] = await notifier.deliveries()
    expect(delivery?.failure?.hint).toContain('LETTA_API_TOKEN')
    letta.setToken('a token')
    await deliveries().toEqual([['task_cancelled', 'delivered', null]])
  })

  it('are retried only manually if the agent does not exist', async () => {
    letta.removeAgent(agentId)
    await notifier.cancel(await accept())
    await deliveries().toEqual([['task_cancelled', 'dead', 'agent_not_found']])
    const [delivery] = await notifier.deliveries({ state: 'dead' })
    const id = delivery?.delivery_id ?? ''
    expect(await retryDelivery(notifier.records.db, id)).toMatchObject({ state: 'pending' })
    await deliveries().toEqual([['task_cancelled', 'dead', 'agent_not_found']])
  })

  it('fail permanently if Letta is no longer configured', async () => {
    letta.startRun(agentId)
    await notifier.cancel(await accept())
    await deliveries().toEqual([['task_cancelled', 'pending', 'agent_busy']])
    await notifier.restart({ LETTA_API_URL: '', LETTA_API_TOKEN: '' })
    await deliveries().toEqual([['task_cancelled', 'dead', 'letta_disabled']])
    await notifier.cancel(await accept())
    expect(await notifier.deliveries()).toHaveLength(1)
  })
})

it('sends a message once even if its response is lost', async () => {
  letta.answerNext('pass', 'cut')
  await notifier.cancel(await accept())
  await deliveries().toEqual([['task_cancelled', 'delivered', null]])
  expect(letta.messages).toHaveLength(1)
})

describe('the memory block of a task', () => {
  const enable = async (more: Record<string, string> = {}) =>
    await notifier.restart({ LETTA_MEMORY_BLOCKS: 'true', LETTA_BLOCK_INTERVAL_MS: '1000', ...more })
  const values = () => [...letta.blocks.values()].map(({ value }) => JSON.parse(value) as Record<string, unknown>)
  const poll = <T>(look: () => T) => expect.poll(look, { timeout: 15_000, interval: 100 })

  it('is updated with the task, and removed some time after its end', async () => {
    await enable({ LETTA_BLOCK_RETENTION_MS: '3000', DELIVERY_GIVE_UP_MS: '1000' })
    const id = await accept()
    await poll(() => letta.blocksOf(agentId)).toEqual([`opencode_workspace_${id}`])
    await notifier.addEvents(id, event('task_started'), event('task_progress'))
    await poll(() => values()[0]?.last_events).toMatchObject([{ seq: 1 }, { type: 'task_started' }, { seq: 3 }])
    await notifier.cancel(id)
    await poll(() => values()[0]?.status).toBe('cancelled')
    await poll(() => letta.blocks.size).toBe(0)
    expect(letta.blocksOf(agentId)).toEqual([])
  })

  it('is updated at a limited rate', async () => {
    await enable({ LETTA_BLOCK_INTERVAL_MS: '2000' })
    const id = await accept()
    await poll(() => letta.blocks.size).toBe(1)
    for (let n = 0; n < 50; n += 1) await notifier.addEvents(id, event('task_progress'))
    await poll(() => values()[0]?.last_events).toContainEqual(expect.objectContaining({ seq: 51 }))
    expect(letta.calls.filter((call) => call.startsWith('PATCH /v1/blocks/')).length).toBeLessThanOrEqual(3)
  })

  it('is removed when blocks are disabled', async () => {
    await enable()
    await accept()
    await poll(() => letta.blocks.size).toBe(1)
    await notifier.restart({ DELIVERY_GIVE_UP_MS: '1000' })
    await poll(() => letta.blocks.size).toBe(0)
  })

  it('appears as a problem of the notifier if it cannot be updated', async () => {
    letta.setToken('another token')
    await enable()
    await accept()
    const problem = async () => (await listLiveNotifiers(notifier.records.db))[0]?.problem ?? null
    await poll(problem).toContain('LETTA_API_TOKEN')
    letta.setToken('a token')
    await poll(problem).toBeNull()
    expect(letta.blocks.size).toBe(1)
  })
})
