import type { WebhookId } from '@switchyard/contracts'
import {
  findDueLanes,
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
  it('holds nothing for a task that nobody follows', async () => {
    const id = await notifier.accept()
    await notifier.tell(id, event('task_started'), event('task_progress'))
    expect(await notifier.deliveries()).toEqual([])
  })

  it('holds what is not noisy for a callback_url', async () => {
    const id = await notifier.accept({ callback_url: `${receiver.url}/hook` })
    await notifier.tell(id, event('task_started'), event('task_progress'), event('task_message'))
    await notifier.tell(id, event('task_input_required'))
    await notifier.end(id)
    expect((await notifier.deliveries()).map(({ type, seq }) => [type, seq])).toEqual([
      ['task_started', 2],
      ['task_input_required', 5],
      ['task_cancelled', 6],
    ])
  })

  it('is written with the event or not at all', async () => {
    const id = await notifier.accept({ callback_url: receiver.url })
    await notifier.end(id)
    await expect(notifier.tell(id, event('task_started'))).rejects.toThrow('has ended')
    expect((await notifier.deliveries()).map(({ type }) => type)).toEqual(['task_cancelled'])
  })

  it('asks the rules of an endpoint: event types, agent, whose task', async () => {
    const url = receiver.url
    const [all, mine, agents, queued] = [
      await notifier.endpoint({ url }),
      await notifier.endpoint({ url, sees_all: false, owner_key: 'me' }),
      await notifier.endpoint({ url, agent_id: 'b' }),
      await notifier.endpoint({ url, event_types: ['task_queued'] }),
    ]
    await notifier.endpoint({ url, project_id: 'proj_1' })
    for (const options of [{}, { owner_key: 'me' }, { agent_id: 'b' }])
      await notifier.tell(await notifier.accept(options), event('task_started'))
    const told = (await notifier.deliveries()).map((each) => each.destination)
    const count = (id: string) => told.filter((one) => one === id).length
    expect([all, mine, agents, queued].map(count)).toEqual([3, 1, 1, 3])
    expect(told).toHaveLength(8)
  })

  it('holds one progress in an interval, the last of those told at once', async () => {
    await notifier.endpoint({ url: receiver.url, event_types: ['task_progress'], progress_interval_ms: 60_000 })
    const id = await notifier.accept()
    await notifier.tell(id, event('task_progress'), event('task_progress'))
    await notifier.tell(id, event('task_progress'))
    expect((await notifier.deliveries()).map(({ seq }) => seq)).toEqual([3])
  })
})

it('holds the move of several tasks to another pool, each of its own', async () => {
  const endpoint = await notifier.endpoint({ url: receiver.url, event_types: ['task_progress'] })
  const tasks = [await notifier.accept({ pool: 'blue' }), await notifier.accept({ pool: 'blue' })]
  const move = { from: 'blue', to: 'green', reason: 'it is drained', evenOverdue: false } as const
  expect(await moveTasks(notifier.records.db, move, 10)).toHaveLength(2)
  const told = (await notifier.deliveries()).map((each) => [each.task_id, each.seq, each.destination])
  expect(told.toSorted()).toEqual(tasks.map((id) => [id, 2, endpoint]).toSorted())
})

describe('the notifier', () => {
  it('delivers each task in order, signed, with the record and the event', async () => {
    const id = await notifier.accept({ callback_url: `${receiver.url}/hook?key=1` })
    await notifier.tell(id, event('task_started'))
    await notifier.start()
    await notifier.end(id)
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

  it('tries again under the same id, in order, until the target takes it', async () => {
    let refused = 0
    receiver.answerWith(() => (refused++ < 3 ? 503 : 200))
    const id = await notifier.accept({ callback_url: receiver.url })
    await notifier.tell(id, event('task_started'))
    await notifier.end(id)
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
    await notifier.endpoint({ url: receiver.url })
    await notifier.tell(await notifier.accept(), event('task_started'))
    await notifier.start()
    await settled().toBe(0)
    const [first, second] = receiver.calls
    expect((second?.receivedAt ?? 0) - (first?.receivedAt ?? 0)).toBeGreaterThanOrEqual(1_900)
  })

  it('spares a dead target, and holds nothing up for another', async () => {
    const dead = await startWebhookReceiver()
    dead.answerWith(() => 'hang')
    await notifier.endpoint({ url: dead.url })
    const well = await notifier.endpoint({ url: receiver.url })
    await notifier.start()
    const began = Date.now()
    for (let n = 0; n < 100; n += 1) await notifier.tell(await notifier.accept(), event('task_started'))
    await expect
      .poll(async () => (await notifier.deliveries({ destination: well, state: 'delivered' })).length, {
        timeout: 10_000,
      })
      .toBe(100)
    expect(Date.now() - began).toBeLessThan(10_000)
    // The breaker is open after the first few: the others were not even tried.
    expect(dead.calls.length).toBeLessThan(40)
    await notifier.close()
    await dead.close()
    notifier = await startTestNotifier()
  })

  it('keeps what no attempt can help, says why, and sends it again by hand', async () => {
    const id = await notifier.endpoint({ url: receiver.url })
    await notifier.tell(await notifier.accept(), event('task_started'))
    await setDisabled(notifier.records.db, id as WebhookId, 'off')
    await notifier.start()
    await settled().toBe(0)
    const [dead] = await notifier.deliveries({ state: 'dead' })
    expect(dead).toMatchObject({ destination: id, failure: { code: 'endpoint_disabled', hint: expect.any(String) } })
    await setDisabled(notifier.records.db, id as WebhookId, null)
    await retryDelivery(notifier.records.db, dead?.delivery_id ?? '')
    await expect.poll(() => receiver.calls.map((call) => call.id)).toEqual([dead?.delivery_id])
  })

  it('switches an endpoint off that answers 410', async () => {
    receiver.answerWith(() => 410)
    const id = await notifier.endpoint({ url: receiver.url })
    const task = await notifier.accept()
    await notifier.tell(task, event('task_started'))
    await notifier.start()
    await settled().toBe(0)
    await notifier.end(task)
    expect(await notifier.deliveries()).toMatchObject([{ destination: id, state: 'dead', failure: { code: 'gone' } }])
  })

  it('signs with both secrets after a change', async () => {
    const id = await notifier.endpoint({ url: receiver.url })
    const next = `whsec_${Buffer.alloc(32, 9).toString('base64')}`
    await rotateSecret(notifier.records.db, id as WebhookId, next, 60_000)
    await notifier.tell(await notifier.accept(), event('task_started'))
    await notifier.start()
    await settled().toBe(0)
    for (const call of receiver.calls) for (const secret of [SECRET, next]) verifyWebhook(call, secret)
  })
})

it('sends what a notifier that died was sending, well before its lease has run out', async () => {
  const id = await notifier.accept({ callback_url: receiver.url })
  await notifier.tell(id, event('task_started'))
  const { db } = notifier.records
  await reportNotifier(db, { id: 'notifier_dead', hostname: 'here', problem: null })
  const [lane = ''] = await findDueLanes(db, 1)
  expect(await takeDeliveries(db, lane, 1, { notifierId: 'notifier_dead', ms: 600_000 })).toHaveLength(1)
  await notifier.start()
  await expect.poll(types, { timeout: 20_000 }).toEqual(['task_started'])
  expect(await notifier.deliveries()).toMatchObject([{ state: 'delivered', attempts: 2 }])
})

describe('a request that nobody answers', () => {
  const startEscalating = async () => {
    const escalating = await startTestNotifier({ REQUEST_ESCALATION_MS: '1000' })
    const events = ['task_input_required']
    await escalating.endpoint({ url: `${receiver.url}/first`, event_types: events })
    await escalating.endpoint({ url: `${receiver.url}/second`, event_types: events, escalation: true })
    return escalating
  }

  it('is repeated after its time to a second destination, once', async () => {
    const escalating = await startEscalating()
    const task = await escalating.accept({ callback_url: `${receiver.url}/callback` })
    const request = await escalating.ask(task)
    await escalating.start()
    await expect.poll(() => receiver.calls.map((call) => call.path), { timeout: 10_000 }).toContain('/second')
    await escalating.end(task)
    await expect.poll(() => types(), { timeout: 10_000 }).toContain('task_cancelled')
    expect(receiver.calls.map((call) => call.path).toSorted()).toEqual(['/callback', '/callback', '/first', '/second'])
    const repeated = receiver.calls.find((call) => call.path === '/second')
    expect(repeated?.body.data.event).toMatchObject({ type: 'task_input_required', data: { request_id: request.id } })
    await escalating.close()
  })

  it('is not repeated once it is answered', async () => {
    const escalating = await startEscalating()
    const [answered, open] = [await escalating.accept(), await escalating.accept()]
    const request = await escalating.ask(answered)
    const answer = event('task_input_answered', { request_id: request.id })
    await replyToRequest(escalating.records.db, answered, request.id, { reply: 'once', message: null }, 'me', answer)
    await escalating.ask(open)
    await escalating.start()
    await expect.poll(() => receiver.calls.map((call) => call.path), { timeout: 10_000 }).toContain('/second')
    const repeated = receiver.calls.filter((call) => call.path === '/second')
    expect(repeated.map((call) => call.body.data.task?.task_id)).toEqual([open])
    await escalating.close()
  })
})

it('gives up after its time, and refuses private targets, with a reason', async () => {
  const strict = await startTestNotifier({ DELIVERY_GIVE_UP_MS: '1000', WEBHOOK_ALLOW_PRIVATE_TARGETS: 'false' })
  await strict.endpoint({ url: receiver.url })
  await strict.endpoint({ url: 'http://nowhere.invalid/' })
  await strict.tell(await strict.accept(), event('task_started'))
  await strict.start()
  await expect
    .poll(async () => (await strict.deliveries({ state: 'dead' })).map((each) => each.failure?.code), {
      timeout: 10_000,
    })
    .toEqual(['target_not_allowed', 'target_not_found'])
  await strict.close()
  expect(receiver.calls).toEqual([])
})
