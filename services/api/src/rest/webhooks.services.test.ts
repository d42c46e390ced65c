import type { Delivery, Webhook, WebhookWithSecret } from '@switchyard/contracts'
import { markFailed, takeDeliveries } from '@switchyard/records'
import { createDatabase, type TestDatabase } from '@switchyard/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startApi, type TestApi } from '../api.fixture.ts'

const [OPS, ONE, TWO] = ['operator-token-0001', 'agent-token-number-1', 'agent-token-number-2']
const as = (token: string) => ({ headers: { authorization: `Bearer ${token}` } })

let database: TestDatabase
let api: TestApi

beforeAll(async () => {
  database = await createDatabase()
  api = await startApi(database.url, { SWITCHYARD_API_KEYS: `ops:operator:${OPS},one:agent:${ONE},two:agent:${TWO}` })
})
afterAll(async () => {
  await api.close()
  await database.drop()
})

const create = async (token: string, body: Record<string, unknown> = {}) =>
  await api.call<WebhookWithSecret>('POST', '/webhooks', {
    ...as(token),
    body: { url: 'https://example.com/hook', ...body },
  })

describe('a webhook', () => {
  it('returns its secret on creation only', async () => {
    const made = await create(ONE)
    expect(made).toMatchObject({
      status: 201,
      body: {
        enabled: true,
        escalation: false,
        progress_interval_ms: 30_000,
        secret: expect.stringMatching(/^whsec_/),
      },
    })
    expect(made.body.event_types).not.toContain('task_progress')
    const route = `/webhooks/${made.body.webhook_id}`
    expect(made.headers.get('location')).toBe(route)
    const { body } = await api.call('GET', route, as(ONE))
    expect(JSON.stringify(body)).not.toContain('whsec_')
    const rotated = await api.call<WebhookWithSecret>('POST', `${route}/rotate`, as(ONE))
    expect(rotated.body.secret).not.toBe(made.body.secret)
    expect(rotated.body.previous_secret_expires_at).not.toBeNull()
  })

  it('is accessible to its owner and operators only', async () => {
    const route = `/webhooks/${(await create(ONE)).body.webhook_id}`
    expect((await api.call('GET', route, as(OPS))).status).toBe(200)
    for (const [method, suffix] of [
      ['GET', ''],
      ['DELETE', ''],
      ['POST', '/rotate'],
      ['POST', '/test'],
    ] as const)
      expect(await api.call(method, route + suffix, as(TWO))).toMatchObject({
        status: 404,
        body: { code: 'webhook_not_found' },
      })
    const listed = await api.call<{ webhooks: Webhook[] }>('GET', '/webhooks', as(TWO))
    expect(listed.body.webhooks).toEqual([])
  })

  it('can be disabled, enabled and deleted', async () => {
    const route = `/webhooks/${(await create(ONE)).body.webhook_id}`
    expect(await api.call('POST', `${route}/disable`, as(ONE))).toMatchObject({
      body: { enabled: false, disabled_reason: 'disabled by one' },
    })
    expect(await api.call('POST', `${route}/enable`, as(ONE))).toMatchObject({
      body: { enabled: true, disabled_reason: null },
    })
    expect((await api.call('DELETE', route, as(ONE))).status).toBe(204)
    expect((await api.call('GET', route, as(ONE))).status).toBe(404)
  })

  it.each([
    [{ url: 'ftp://example.com/' }, 'url'],
    [{ url: 'not a url' }, 'url'],
    [{ event_types: [] }, 'event_types'],
    [{ event_types: ['task_lost'] }, 'event_types'],
    [{ progress_interval_ms: 1 }, 'progress_interval_ms'],
    [{ secret: 'mine' }, 'secret'],
    [{ escalation: true, event_types: ['task_failed'] }, 'event_types'],
  ])('is rejected with %j', async (body, field) => {
    expect(await create(ONE, body)).toMatchObject({ status: 400, body: { detail: expect.stringContaining(field) } })
  })
})

describe('a delivery', () => {
  it('is listed for the owner of its destination, with the failure and a hint', async () => {
    const { body: webhook } = await create(ONE, { event_types: ['task_queued'] })
    for (let n = 0; n < 3; n += 1) await api.call('POST', '/tasks', { ...as(ONE), body: { task_description: 'do it' } })
    const [first] = await takeDeliveries(api.records.db, webhook.webhook_id, 1, { notifierId: 'one', ms: 60_000 })
    if (!first) throw new Error('nothing is due')
    const failure = { code: 'target_not_allowed', message: '10.0.0.1 is private', http_status: null } as const
    await markFailed(api.records.db, first, failure, null)

    type Page = { deliveries: Delivery[]; next_cursor: string | null }
    const one = await api.call<Page>('GET', '/deliveries?limit=2', as(ONE))
    const two = await api.call<Page>('GET', `/deliveries?limit=2&cursor=${one.body.next_cursor}`, as(ONE))
    expect([one.body.deliveries.length, two.body.deliveries.length, two.body.next_cursor]).toEqual([2, 1, null])
    expect((await api.call<Page>('GET', '/deliveries', as(TWO))).body.deliveries).toEqual([])
    const dead = await api.call<Page>('GET', '/deliveries?state=dead', as(OPS))
    expect(dead.body.deliveries).toMatchObject([
      {
        delivery_id: first.id,
        type: 'task_queued',
        failure: { ...failure, hint: expect.stringContaining('WEBHOOK_ALLOW') },
      },
    ])
    const figures = await api.call<string>('GET', '/metrics', as(OPS))
    expect(figures.body).toContain('switchyard_deliveries{state="dead"} 1')
    expect((await api.call('POST', `/deliveries/${first.id}/retry`, as(TWO))).status).toBe(404)
    expect(await api.call('POST', `/deliveries/${first.id}/retry`, as(ONE))).toMatchObject({
      status: 202,
      body: { delivery_id: first.id, state: 'pending', attempts: 0 },
    })
    expect((await api.call('GET', '/deliveries?cursor=x', as(ONE))).status).toBe(400)
  })
})
