import type { WebhookId } from '@switchyard/contracts'
import {
  findDueDestinations,
  moveTasks,
  replyToRequest,
  reportNotifier,
  retryDelivery,
  rotateSecret,
  setDisabled,
  takeDeliveries,
} from '@switchyard/records'
import { startWebhookReceiver, verifyWebhook, type WebhookReceiver } from '@switchyard/testing'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { event, SECRET, startTestNotifier, type TestNotifier } from './notifier.fixture.ts'

let notifier: TestNotifier
let receiver: WebhookReceiver

beforeEach(async () => {
  receiver = await startWebhookReceiver()
  notifier = await startTestNotifier()
})
afterEach(async () => {
  await notifier.close()
  await receiver.close()
})

const types = () => receiver.calls.map((call) => call.body.type)
const settled = () =>
  expect.poll(async () => (await notifier.deliveries()).filter((each) => each.state === 'pending').length, {
    timeout: 20_000,
  })

describe('the outbox', () => {
  it('contains nothing for a task without a destination', async () => {
    const id = await notifier.accept()
    await notifier.addEvents(id, event('task_started'), event('task_progress'))
    expect(await notifier.deliveries()).toEqual([])
  })

  it('contains the default event types for a callback_url', async () => {
    const id = await notifier.accept({ callback_url: `${receiver.url}/hook` })
    await notifier.addEvents(id, event('task_started'), event('task_progress'), event('task_message'))
    await notifier.addEvents(id, event('task_input_required'))
    await notifier.cancel(id)
    expect((await notifier.deliveries()).map(({ type, seq }) => [type, seq])).toEqual([
      ['task_started', 2],
      ['task_input_required', 5],
      ['task_cancelled', 6],
    ])
  })

  it('is written together with the event or not at all', async () => {
    const id = await notifier.accept({ callback_url: receiver.url })
    await notifier.cancel(id)
    await expect(notifier.addEvents(id, event('task_started'))).rejects.toThrow('has ended')
    expect((await notifier.deliveries()).map(({ type }) => type)).toEqual(['task_cancelled'])
  })

  it('applies the filters of an endpoint: event types, agent, owner', async () => {
    const url = receiver.url
    const [all, mine, agents, queued] = [
      await notifier.addEndpoint({ url }),
      await notifier.addEndpoint({ url, sees_all: false, owner_key: 'me' }),
      await notifier.addEndpoint({ url, agent_id: 'b' }),
      await notifier.addEndpoint({ url, event_types: ['task_queued'] }),
    ]
    await notifier.addEndpoint({ url, project_id: 'proj_1' })
    for (const options of [{}, { owner_key: 'me' }, { agent_id: 'b' }])
      await notifier.addEvents(await notifier.accept(options), event('task_started'))
    const destinations = (await notifier.deliveries()).map((each) => each.destination)
    const count = (id: string) => destinations.filter((one) => one === id).length
    expect([all, mine, agents, queued].map(count)).toEqual([3, 1, 1, 3])
    expect(destinations).toHaveLength(8)
  })

  it('contains one progress event per interval, the last one of a batch', async () => {
    await notifier.addEndpoint({ url: receiver.url, event_types: ['task_progress'], progress_interval_ms: 60_000 })
    const id = await notifier.accept()
    await notifier.addEvents(id, event('task_progress'), event('task_progress'))
    await notifier.addEvents(id, event('task_progress'))
    expect((await notifier.deliveries()).map(({ seq }) => seq)).toEqual([3])
  })
})

it('adds one delivery per task to the outbox when several tasks move to another pool', async () => {
  const endpoint = await notifier.addEndpoint({ url: receiver.url, event_types: ['task_progress'] })
  const tasks = [await notifier.accept({ pool: 'blue' }), await notifier.accept({ pool: 'blue' })]
  const move = { from: 'blue', to: 'green', reason: 'it is drained', evenOverdue: false } as const
  expect(await moveTasks(notifier.records.db, move, 10)).toHaveLength(2)
  const deliveries = (await notifier.deliveries()).map((each) => [each.task_id, each.seq, each.destination])
  expect(deliveries.toSorted()).toEqual(tasks.map((id) => [id, 2, endpoint]).toSorted())
})

describe('the notifier', () => {
  it('delivers the events of a task in order, signed, with the record and the event', async () => {
    const id = await notifier.accept({ callback_url: `${receiver.url}/hook?key=1` })
    await notifier.addEvents(id, event('task_started'))
    await notifier.start()
    await notifier.cancel(id)
    await settled().toBe(0)
    expect(types()).toEqual(['task_started', 'task_cancelled'])
    for (const call of receiver.calls) {
      verifyWebhook(call, SECRET)
      expect(call).toMatchObject({
        path: '/hook?key=1',
        body: { data: { task: { task_id: id }, event: { task_id: id } } },
      })
    }
  })

  it('retries under the same id, in order, until the target accepts it', async () => {
    let refused = 0
    receiver.answerWith(() => (refused++ < 3 ? 503 : 200))
    const id = await notifier.accept({ callback_url: receiver.url })
    await notifier.addEvents(id, event('task_started'))
    await notifier.cancel(id)
    await notifier.start()
    await settled().toBe(0)
    expect(types()).toEqual(['task_started', 'task_started', 'task_started', 'task_started', 'task_cancelled'])
    expect(new Set(receiver.calls.map((call) => call.id)).size).toBe(2)
    expect(await notifier.deliveries({ state: 'delivered' })).toMatchObject([
      { attempts: 4, failure: null },
      { attempts: 1 },
    ])
  })

  it('waits as long as Retry-After says', async () => {
    let refused = false
    receiver.answerWith(() => {
      if (refused) return 200
      refused = true
      return { status: 429, headers: { 'retry-after': '2' } }
    })
    await notifier.addEndpoint({ url: receiver.url })
    await notifier.addEvents(await notifier.accept(), event('task_started'))
    await notifier.start()
    await settled().toBe(0)
    const [first, second] = receiver.calls
    expect((second?.receivedAt ?? 0) - (first?.receivedAt ?? 0)).toBeGreaterThanOrEqual(1_900)
  })

  it('stops calling a dead target, and does not delay others', async () => {
    const dead = await startWebhookReceiver()
    dead.answerWith(() => 'hang')
    await notifier.addEndpoint({ url: dead.url })
    const healthy = await notifier.addEndpoint({ url: receiver.url })
    await notifier.start()
    const began = Date.now()
    for (let n = 0; n < 100; n += 1) await notifier.addEvents(await notifier.accept(), event('task_started'))
    await expect
      .poll(async () => (await notifier.deliveries({ destination: healthy, state: 'delivered' })).length, {
        timeout: 10_000,
      })
      .toBe(100)
    expect(Date.now() - began).toBeLessThan(10_000)
    // The breaker opens after the first few, and the others are not attempted.
    expect(dead.calls.length).toBeLessThan(40)
    await notifier.close()
    await dead.close()
    notifier = await startTestNotifier()
  })

  it('keeps a delivery that cannot succeed, with the reason, and sends it again on request', async () => {
    const id = await notifier.addEndpoint({ url: receiver.url })
    await notifier.addEvents(await notifier.accept(), event('task_started'))
    await setDisabled(notifier.records.db, id as WebhookId, 'off')
    await notifier.start()
    await settled().toBe(0)
    const [dead] = await notifier.deliveries({ state: 'dead' })
    expect(dead).toMatchObject({ destination: id, failure: { code: 'endpoint_disabled', hint: expect.any(String) } })
    await setDisabled(notifier.records.db, id as WebhookId, null)
    await retryDelivery(notifier.records.db, dead?.delivery_id ?? '')
    await expect.poll(() => receiver.calls.map((call) => call.id)).toEqual([dead?.delivery_id])
  })

  it('disables an endpoint that answers 410', async () => {
    receiver.answerWith(() => 410)
    const id = await notifier.addEndpoint({ url: receiver.url })
    const task = await notifier.accept()
    await notifier.addEvents(task, event('task_started'))
    await notifier.start()
    await settled().toBe(0)
    await notifier.cancel(task)
    expect(await notifier.deliveries()).toMatchObject([{ destination: id, state: 'dead', failure: { code: 'gone' } }])
  })

  it('signs with both secrets during a rotation', async () => {
    const id = await notifier.addEndpoint({ url: receiver.url })
    const next = `whsec_${Buffer.alloc(32, 9).toString('base64')}`
    await rotateSecret(notifier.records.db, id as WebhookId, next, 60_000)
    await notifier.addEvents(await notifier.accept(), event('task_started'))
    await notifier.start()
    await settled().toBe(0)
    for (const call of receiver.calls) for (const secret of [SECRET, next]) verifyWebhook(call, secret)
  })
})

it('sends the deliveries of a notifier that died, before their lease has expired', async () => {
  const id = await notifier.accept({ callback_url: receiver.url })
  await notifier.addEvents(id, event('task_started'))
  const { db } = notifier.records
  await reportNotifier(db, { id: 'notifier_dead', hostname: 'here', problem: null })
  const [destination = ''] = await findDueDestinations(db, 1)
  expect(await takeDeliveries(db, destination, 1, { notifierId: 'notifier_dead', ms: 600_000 })).toHaveLength(1)
  await notifier.start()
  await expect.poll(types, { timeout: 20_000 }).toEqual(['task_started'])
  // The receiver has the call before the notifier has written down that it arrived.
  await settled().toBe(0)
  expect(await notifier.deliveries()).toMatchObject([{ state: 'delivered', attempts: 2 }])
})

describe('an unanswered request', () => {
  const startEscalating = async () => {
    const escalating = await startTestNotifier({ REQUEST_ESCALATION_MS: '1000' })
    const events = ['task_input_required']
    await escalating.addEndpoint({ url: `${receiver.url}/first`, event_types: events })
    await escalating.addEndpoint({ url: `${receiver.url}/second`, event_types: events, escalation: true })
    return escalating
  }

  it('is repeated once, to a second destination', async () => {
    const escalating = await startEscalating()
    const task = await escalating.accept({ callback_url: `${receiver.url}/callback` })
    const request = await escalating.openRequest(task)
    await escalating.start()
    await expect.poll(() => receiver.calls.map((call) => call.path), { timeout: 10_000 }).toContain('/second')
    await escalating.cancel(task)
    await expect.poll(() => types(), { timeout: 10_000 }).toContain('task_cancelled')
    expect(receiver.calls.map((call) => call.path).toSorted()).toEqual(['/callback', '/callback', '/first', '/second'])
    const repeated = receiver.calls.find((call) => call.path === '/second')
    expect(repeated?.body.data.event).toMatchObject({ type: 'task_input_required', data: { request_id: request.id } })
    await escalating.close()
  })

  it('is not repeated after it was answered', async () => {
    const escalating = await startEscalating()
    const [answered, open] = [await escalating.accept(), await escalating.accept()]
    const request = await escalating.openRequest(answered)
    const answer = event('task_input_answered', { request_id: request.id })
    await replyToRequest(escalating.records.db, answered, request.id, { reply: 'once', message: null }, 'me', answer)
    await escalating.openRequest(open)
    await escalating.start()
    await expect.poll(() => receiver.calls.map((call) => call.path), { timeout: 10_000 }).toContain('/second')
    const repeated = receiver.calls.filter((call) => call.path === '/second')
    expect(repeated.map((call) => call.body.data.task?.task_id)).toEqual([open])
    await escalating.close()
  })
})

it('gives up after DELIVERY_GIVE_UP_MS, and refuses private targets', async () => {
  const strict = await startTestNotifier({ DELIVERY_GIVE_UP_MS: '1000', WEBHOOK_ALLOW_PRIVATE_TARGETS: 'false' })
  await strict.addEndpoint({ url: receiver.url })
  await strict.addEndpoint({ url: 'http://nowhere.invalid/' })
  await strict.addEvents(await strict.accept(), event('task_started'))
  await strict.start()
  await expect
    .poll(async () => (await strict.deliveries({ state: 'dead' })).map((each) => each.failure?.code), {
      timeout: 10_000,
    })
    .toEqual(['target_not_allowed', 'target_not_found'])
  await strict.close()
  expect(receiver.calls).toEqual([])
})
