import { startWebhookReceiver, verifyWebhook, type WebhookReceiver } from '@switchyard/testing'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { WebhookChannel } from './webhook.ts'

const SECRET = `whsec_${Buffer.alloc(32, 1).toString('base64')}`
const OLDER = `whsec_${Buffer.alloc(32, 2).toString('base64')}`
const body = { type: 'task_completed', timestamp: new Date().toISOString(), data: { said: 'ünïcode ✅' } }

const channel = (allowPrivateTargets = true) =>
  new WebhookChannel({ allowPrivateTargets, timeoutMs: 500, userAgent: 'Switchyard' })

let receiver: WebhookReceiver
beforeEach(async () => {
  receiver = await startWebhookReceiver()
})
afterEach(() => receiver.close())

const call = (path = '/', secrets: readonly string[] = [SECRET]) => ({
  id: 'dlv_1',
  url: `${receiver.url}${path}`,
  secrets,
  body,
})

describe('a webhook', () => {
  it('is signed so that the specification’s own package verifies it', async () => {
    expect(await channel().send(call())).toEqual({ kind: 'arrived' })
    const [got] = receiver.calls
    expect(got).toMatchObject({ id: 'dlv_1', body, headers: { 'content-type': 'application/json' } })
    if (!got) throw new Error('no call')
    verifyWebhook(got, SECRET)
    expect(() => verifyWebhook(got, OLDER)).toThrow()
  })

  it('carries two signatures while a secret is being changed', async () => {
    await channel().send(call('/', [SECRET, OLDER]))
    for (const got of receiver.calls) for (const secret of [SECRET, OLDER]) verifyWebhook(got, secret)
    expect(receiver.calls).toHaveLength(1)
  })

  it.each([
    [401, 'unauthorized'],
    [404, 'endpoint_not_found'],
    [410, 'gone'],
    [500, 'http_error'],
    [303, 'http_error'],
  ])('tells an answer of %i as %s', async (status, code) => {
    receiver.answerWith(() => status)
    expect(await channel().send(call())).toMatchObject({ kind: 'failed', code, httpStatus: status })
  })

  it('tells how long the target asks it to wait', async () => {
    receiver.answerWith(() => ({ status: 429, headers: { 'retry-after': '7' } }))
    expect(await channel().send(call())).toMatchObject({ code: 'rate_limited', retryAfterMs: 7_000 })
  })

  it('gives up on a target that does not answer', async () => {
    receiver.answerWith(() => 'hang')
    expect(await channel().send(call())).toMatchObject({ code: 'timed_out', isUnreachable: true })
  })

  it('tells a closed port and an unknown name apart', async () => {
    await receiver.close()
    expect(await channel().send(call())).toMatchObject({ code: 'connection_failed', isUnreachable: true })
    receiver = await startWebhookReceiver()
    expect(await channel().send({ ...call(), url: 'http://nowhere.invalid/' })).toMatchObject({
      code: 'target_not_found',
    })
  })

  it('follows a redirect with the same signed body, and not for ever', async () => {
    receiver.answerWith(({ path }) => (path === '/new' ? 200 : { status: 307, headers: { location: '/new' } }))
    expect(await channel().send(call('/old'))).toEqual({ kind: 'arrived' })
    const [first, second] = receiver.calls
    expect(second?.raw).toBe(first?.raw)
    receiver.answerWith(() => ({ status: 308, headers: { location: '/round' } }))
    expect(await channel().send(call())).toMatchObject({ code: 'too_many_redirects' })
  })

  it.each(['http://127.0.0.1:', 'http://localhost:', 'http://[::1]:', 'http://2130706433:', 'http://0x7f.1:'])(
    'does not call %s unless private targets are allowed',
    async (prefix) => {
      const url = `${prefix}${receiver.port}/`
      expect(await channel(false).send({ ...call(), url })).toMatchObject({ code: 'target_not_allowed' })
      expect(receiver.calls).toEqual([])
    },
  )
})
