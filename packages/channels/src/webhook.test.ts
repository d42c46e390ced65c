import { startWebhookReceiver, verifyWebhook, type WebhookReceiver } from '@switchyard/testing'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { TargetGuard } from './target-guard.ts'
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

describe('WebhookChannel', () => {
  it("signs the call so that the specification's own package verifies it", async () => {
    expect(await channel().send(call())).toEqual({ kind: 'delivered' })
    const [got] = receiver.calls
    expect(got).toMatchObject({ id: 'dlv_1', body, headers: { 'content-type': 'application/json' } })
    if (!got) throw new Error('no call')
    verifyWebhook(got, SECRET)
    expect(() => verifyWebhook(got, OLDER)).toThrow()
  })

  it('sends two signatures while a secret is being rotated', async () => {
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
  ])('reports the status %i as %s', async (status, code) => {
    receiver.answerWith(() => status)
    expect(await channel().send(call())).toMatchObject({ kind: 'failed', code, httpStatus: status })
  })

  it('reports how long the target asks it to wait', async () => {
    receiver.answerWith(() => ({ status: 429, headers: { 'retry-after': '7' } }))
    expect(await channel().send(call())).toMatchObject({ code: 'rate_limited', retryAfterMs: 7_000 })
  })

  it('reports a target that does not answer in time', async () => {
    receiver.answerWith(() => 'hang')
    expect(await channel().send(call())).toMatchObject({ code: 'timed_out', isUnreachable: true })
  })

  it('distinguishes a closed port from an unknown name', async () => {
    await receiver.close()
    expect(await channel().send(call())).toMatchObject({ code: 'connection_failed', isUnreachable: true })
    receiver = await startWebhookReceiver()
    expect(await channel().send({ ...call(), url: 'http://nowhere.invalid/' })).toMatchObject({
      code: 'target_not_found',
    })
  })

  it('follows redirects with the same signed body, up to a limit', async () => {
    receiver.answerWith(({ path }) => (path === '/new' ? 200 : { status: 307, headers: { location: '/new' } }))
    expect(await channel().send(call('/old'))).toEqual({ kind: 'delivered' })
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

describe('WebhookChannel with a public target', () => {
  /** Treats the receiver's address as a public one; names resolve to the addresses of the test. */
  const guarded = (names: Readonly<Record<string, readonly string[]>> = {}) => {
    const resolved: string[] = []
    const guard = new TargetGuard({
      allowed: new Set(['127.0.0.1']),
      resolve: (hostname, _options, callback) => {
        resolved.push(hostname)
        const addresses = names[hostname] ?? []
        callback(
          null,
          addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
        )
      },
    })
    const options = { allowPrivateTargets: false, timeoutMs: 500, userAgent: 'Switchyard', guard }
    return { resolved, send: (url: string) => new WebhookChannel(options).send({ ...call(), url }) }
  }
  const redirectTo = (location: string) =>
    receiver.answerWith(({ path }) => (path === '/' ? { status: 307, headers: { location } } : 200))
  const paths = () => receiver.calls.map(({ path }) => path)

  it.each([
    'http://127.0.0.2/',
    'http://169.254.169.254/latest/meta-data/',
    'http://[::1]/',
    'http://10.1.2.3/',
    'http://inside.test/',
    'http://0x7f000002/',
  ])('refuses a redirect to %s', async (location) => {
    redirectTo(location)
    const { send } = guarded({ 'public.test': ['127.0.0.1'], 'inside.test': ['192.168.0.9'] })
    expect(await send(`http://public.test:${receiver.port}/`)).toMatchObject({ code: 'target_not_allowed' })
    expect(paths()).toEqual(['/'])
  })

  it('follows a redirect to a public target', async () => {
    redirectTo(`http://other.test:${receiver.port}/new`)
    const { send } = guarded({ 'public.test': ['127.0.0.1'], 'other.test': ['127.0.0.1'] })
    expect(await send(`http://public.test:${receiver.port}/`)).toEqual({ kind: 'delivered' })
    expect(paths()).toEqual(['/', '/new'])
  })

  it('refuses a name once it has a private address, in a later call and within one call', async () => {
    const names: Record<string, readonly string[]> = { 'moving.test': ['127.0.0.1'] }
    const { send, resolved } = guarded(names)
    const url = `http://moving.test:${receiver.port}`
    expect(await send(`${url}/one`)).toEqual({ kind: 'delivered' })
    // The connection uses the address that was checked: the name is not resolved a second time.
    expect(resolved).toEqual(['moving.test'])
    receiver.answerWith(() => {
      names['moving.test'] = ['127.0.0.2']
      return { status: 307, headers: { location: '/three' } }
    })
    expect(await send(`${url}/two`)).toMatchObject({ code: 'target_not_allowed' })
    expect(await send(`${url}/four`)).toMatchObject({ code: 'target_not_allowed' })
    expect(paths()).toEqual(['/one', '/two'])
  })

  it('refuses a name if one of its addresses is private', async () => {
    const { send } = guarded({ 'both.test': ['127.0.0.1', '10.0.0.1'] })
    expect(await send(`http://both.test:${receiver.port}/`)).toMatchObject({ code: 'target_not_allowed' })
    expect(paths()).toEqual([])
  })
})
