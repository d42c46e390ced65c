import { connect } from 'node:net'
import type { Problem } from '@switchyard/contracts'
import { LIMITS, newWorkerId } from '@switchyard/contracts'
import { removeNotifier, removeWorker, reportNotifier, reportServer, reportWorker } from '@switchyard/records'
import { createDatabase, type TestDatabase } from '@switchyard/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startApi, type TestApi } from './api.fixture.ts'
import { openDatabaseProxy } from './database-proxy.fixture.ts'
import { serve } from './http/serve.ts'

const OPERATOR = 'operator-token-0123456789'
const AGENT = 'agent-token-0123456789'
const OTHER = 'other-token-0123456789'

let database: TestDatabase
let open: TestApi
let keyed: TestApi
let published: TestApi

beforeAll(async () => {
  database = await createDatabase()
  open = await startApi(database.url)
  keyed = await startApi(database.url, {
    SWITCHYARD_API_KEYS: `ops:operator:${OPERATOR},ann:agent:${AGENT},bob:agent:${OTHER}`,
  })
  published = await startApi(database.url, { HOST: '0.0.0.0', SWITCHYARD_ALLOW_NO_AUTH: 'true' })
})

afterAll(async () => {
  await Promise.all([open.close(), keyed.close(), published.close()])
  await database.drop()
})

const as = (token: string) => ({ authorization: `Bearer ${token}` })

describe('invalid requests', () => {
  it('distinguishes an unknown path from an unsupported method', async () => {
    expect(await open.call('GET', '/nothing')).toMatchObject({ status: 404, body: { code: 'not_found' } })
    const wrong = await open.call('PUT', '/tasks')
    expect(wrong).toMatchObject({ status: 405, body: { code: 'method_not_allowed' } })
    expect(wrong.headers.get('allow')).toBe('GET, HEAD, POST')
    expect((await open.call('DELETE', '/tasks/task_1/files')).headers.get('allow')).toBe('GET, HEAD')
  })

  it('rejects a body that is not JSON', async () => {
    expect(await open.call('POST', '/tasks', { body: '{"task_description":' })).toMatchObject({
      status: 400,
      body: { code: 'malformed_json' },
    })
    const headers = { 'content-type': 'text/plain' }
    expect(await open.call('POST', '/tasks', { body: '{}', headers })).toMatchObject({
      status: 415,
      body: { code: 'unsupported_media_type' },
    })
  })

  it('rejects a body that is too large, with and without Content-Length', async () => {
    const { url } = await open.listen()
    const big = JSON.stringify({ task_description: 'x'.repeat(LIMITS.bodyBytes) })
    const headers = { 'content-type': 'application/json' }
    const sized = await fetch(`${url}/tasks`, { method: 'POST', headers, body: big })
    expect(sized.status).toBe(413)
    expect(await sized.json()).toMatchObject({ code: 'payload_too_large' })
    const body = new Blob([big]).stream()
    const streamed = await fetch(`${url}/tasks`, { method: 'POST', headers, body, duplex: 'half' })
    expect(streamed.status).toBe(413)
    const small = new Blob(['{"task_description":"streamed"}']).stream()
    const taken = await fetch(`${url}/tasks`, { method: 'POST', headers, body: small, duplex: 'half' })
    expect(taken.status).toBe(202)
  })

  it('serves MCP with a slash at the end too, and leads from / to the reference page', async () => {
    const body = { jsonrpc: '2.0', id: 1, method: 'tools/list', params: {} }
    const headers = { accept: 'application/json, text/event-stream' }
    expect((await open.call('POST', '/mcp/', { body, headers })).status).toBe(200)
    const root = await open.call('GET', '/')
    expect([root.status, root.headers.get('location')]).toEqual([302, '/docs'])
  })

  it('uses the request id of the caller if it is safe to log', async () => {
    const kept = await open.call('GET', '/health', { headers: { 'x-request-id': 'abc-1' } })
    expect(kept.headers.get('x-request-id')).toBe('abc-1')
    const replaced = await open.call('GET', '/health', { headers: { 'x-request-id': 'a b' } })
    expect(replaced.headers.get('x-request-id')).toMatch(/^req_/)
  })
})

describe('without keys', () => {
  it.each([
    ['localhost:3456', undefined, 200],
    ['127.0.0.1', undefined, 200],
    ['[::1]:3456', 'http://[::1]:3456', 200],
    ['localhost:3456', 'http://localhost:5173', 200],
    ['localhost.evil.example', undefined, 403],
    ['127.0.0.1.evil.example:3456', undefined, 403],
    ['evil.example', undefined, 403],
    ['localhost@evil.example', undefined, 403],
    ['localhost:3456', 'http://localhost.evil.example', 403],
    ['localhost:3456', 'https://evil.example', 403],
    ['localhost:3456', 'null', 403],
    ['localhost:3456', 'file://localhost', 403],
  ])('Host %s with Origin %s returns %i', async (host, origin, status) => {
    const response = await open.call('GET', '/tasks', { headers: { host, ...(origin ? { origin } : {}) } })
    expect(response.status).toBe(status)
    if (status === 403) expect(response.body).toMatchObject({ code: 'origin_not_allowed' })
  })

  it('accepts any Host but no cross-site Origin when SWITCHYARD_ALLOW_NO_AUTH is set', async () => {
    const ask = async (host: string, origin?: string) =>
      (await published.call('GET', '/tasks', { headers: { host, ...(origin ? { origin } : {}) } })).status
    expect(await ask('switchyard.internal')).toBe(200)
    expect(await ask('switchyard.internal:80', 'http://switchyard.internal')).toBe(200)
    expect(await ask('switchyard.internal', 'https://evil.example')).toBe(403)
    expect(await ask('switchyard.internal', 'null')).toBe(403)
  })
})

describe('with keys', () => {
  it('rejects calls without a known key, and says how to send one', async () => {
    for (const headers of [{}, as('wrong-token-0123456789'), { authorization: `Basic ${OPERATOR}` }]) {
      const response = await keyed.call('GET', '/tasks', { headers })
      expect(response).toMatchObject({ status: 401, body: { code: 'unauthorized' } })
      expect(response.headers.get('www-authenticate')).toMatch(/^Bearer/)
    }
  })

  it('says what a missing key is to OAuth clients, JSON-RPC clients and people', async () => {
    const rest = await keyed.call('GET', '/tasks')
    const sentence = 'the request has no API key. Send Authorization: Bearer'
    expect(rest.body).toMatchObject({ error: 'invalid_token', error_description: expect.stringContaining(sentence) })
    const mcp = await keyed.call('POST', '/mcp', { body: {} })
    expect(mcp).toMatchObject({
      status: 401,
      body: {
        jsonrpc: '2.0',
        id: null,
        error: { code: -32_001, message: 'the request has no API key', data: { code: 'unauthorized' } },
        error_description: expect.stringContaining(sentence),
      },
    })
  })

  it('shows an agent only its own tasks, and an operator all tasks', async () => {
    const body = { task_description: 'private', idempotency_key: 'same' }
    const { body: ann } = await keyed.call<{ task_id: string; agent_id: string }>('POST', '/tasks', {
      body,
      headers: as(AGENT),
    })
    const { body: bob } = await keyed.call<{ task_id: string }>('POST', '/tasks', { body, headers: as(OTHER) })
    expect(ann.agent_id).toBe('ann')
    // Two callers with the same idempotency key create two tasks.
    expect(bob.task_id).not.toBe(ann.task_id)
    const routes = ['', '/events', '/files', '/files/content?path=a', '/diff']
    for (const route of routes)
      expect(await keyed.call('GET', `/tasks/${ann.task_id}${route}`, { headers: as(OTHER) })).toMatchObject({
        status: 404,
        body: { code: 'task_not_found' },
      })
    const stream = { ...as(OTHER), accept: 'text/event-stream' }
    expect((await keyed.call('GET', `/tasks/${ann.task_id}/events`, { headers: stream })).status).toBe(404)
    for (const [route, sent] of [
      ['messages', { message: 'hi' }],
      ['control', { control: 'cancel' }],
      ['requests/req_1/reply', { reply: 'once' }],
    ] as const)
      expect(
        (await keyed.call('POST', `/tasks/${ann.task_id}/${route}`, { body: sent, headers: as(OTHER) })).status,
      ).toBe(404)
    const list = await keyed.call<{ tasks: { task_id: string }[] }>('GET', '/tasks', { headers: as(OTHER) })
    expect(list.body.tasks.map((task) => task.task_id)).toEqual([bob.task_id])
    expect((await keyed.call('GET', `/tasks/${ann.task_id}`, { headers: as(OPERATOR) })).status).toBe(200)
  })

  it('lets only operators set the mode and read the metrics', async () => {
    const body = { task_description: 'x', mode: 'opencode' }
    expect(await keyed.call('POST', '/tasks', { body, headers: as(AGENT) })).toMatchObject({
      status: 403,
      body: { code: 'forbidden' },
    })
    expect((await keyed.call('POST', '/tasks', { body, headers: as(OPERATOR) })).status).toBe(202)
    expect((await keyed.call('GET', '/metrics', { headers: as(AGENT) })).status).toBe(403)
    const metrics = await keyed.call<string>('GET', '/metrics', { headers: as(OPERATOR) })
    expect(metrics.headers.get('content-type')).toContain('text/plain')
    for (const name of [
      'http_request_duration_seconds',
      'tasks{status="queued"}',
      'tasks_accepted_total',
      'sse_readers',
      'queue_jobs',
    ])
      expect(metrics.body).toContain(`switchyard_${name}`)
  })

  it('reports only the status to callers without a key', async () => {
    const { body } = await keyed.call('GET', '/health')
    expect(body).toMatchObject({ parts: [], counts: {}, providers: [] })
    const { body: full } = await keyed.call<{ parts: unknown[] }>('GET', '/health', { headers: as(AGENT) })
    expect(full.parts.length).toBeGreaterThan(3)
  })
})

describe('health', () => {
  it('is ready only while a worker is live and a server is up', async () => {
    type Ready = { ready: boolean; parts: { name: string; status: string }[] }
    const before = await open.call<Ready>('GET', '/ready')
    expect(before).toMatchObject({ status: 503, body: { ready: false } })
    expect(before.body.parts).toContainEqual(expect.objectContaining({ name: 'workers', status: 'down' }))
    expect(before.body.parts).toContainEqual(expect.objectContaining({ name: 'database', status: 'up' }))
    const catalog = { providers: [{ id: 'acme', models: ['m'] }], agents: ['build'], default_model: null }
    await reportServer(open.records.db, { id: 'shared', state: 'up', version: '1.18.33', detail: null, catalog })
    await reportWorker(open.records.db, { id: newWorkerId(), hostname: 'here', concurrency: 4, queueNames: ['blue'] })
    await expect.poll(async () => (await open.call('GET', '/ready')).status).toBe(200)
    const health = await open.call('GET', '/health')
    expect(health.body).toMatchObject({ providers: ['acme'] })
    expect(JSON.stringify(health.body)).toContain('OpenCode 1.18.33')
  })

  it('reports a missing notifier, and stays ready', async () => {
    const { db } = open.records
    const state = async () => {
      const { body } = await open.call<{ status: string; parts: { name: string }[] }>('GET', '/health')
      return [body.status, body.parts.find(({ name }) => name === 'notifier')]
    }
    await expect.poll(state).toEqual(['degraded', expect.objectContaining({ status: 'down' })])
    expect((await open.call('GET', '/ready')).status).toBe(200)
    const notifier = { id: 'notifier_1', hostname: 'here' }
    await reportNotifier(db, { ...notifier, problem: null })
    await expect.poll(state).toEqual(['ok', expect.objectContaining({ status: 'up', detail: null })])
    await reportNotifier(db, { ...notifier, problem: 'it cannot' })
    await expect.poll(state).toEqual(['degraded', expect.objectContaining({ status: 'degraded', detail: 'it cannot' })])
    await removeNotifier(db, notifier.id)
    await expect.poll(state).toEqual(['degraded', expect.objectContaining({ status: 'down' })])
  })

  it('logs each change of readiness once, and no probe as an error', async () => {
    const lines: { level: string; msg: string }[] = []
    const fresh = await createDatabase()
    const logged = await startApi(fresh.url, { LOG_LEVEL: 'info' }, (line) => lines.push(JSON.parse(line)))
    const status = async () => (await logged.call('GET', '/ready')).status
    const { db } = logged.records
    const worker = { id: newWorkerId(), hostname: 'here', concurrency: 4, queueNames: ['blue' as const] }
    for (let probe = 0; probe < 5; probe += 1) expect(await status()).toBe(503)
    await reportServer(db, { id: 'one', state: 'up', version: null, detail: null, catalog: null })
    await reportWorker(db, worker)
    await expect.poll(status).toBe(200)
    await removeWorker(db, worker.id)
    await expect.poll(status).toBe(503)
    expect(lines.map(({ level, msg }) => [level, msg])).toEqual([
      ['info', 'not ready to accept tasks yet'],
      ['info', 'ready to accept tasks'],
      ['warn', 'no longer ready to accept tasks'],
    ])
    await logged.close()
    await fresh.drop()
  })

  it.each(['disconnected', 'paused'] as const)(
    'returns 503 promptly while the database is %s, and recovers afterwards',
    async (state) => {
      const proxy = await openDatabaseProxy(database.url)
      const api = await startApi(proxy.url)
      proxy.set(state)
      const began = performance.now()
      const response = await api.call<Problem>('POST', '/tasks', { body: { task_description: 'x' } })
      expect(performance.now() - began).toBeLessThan(4_500)
      expect(response.status).toBe(503)
      expect(response.body).toMatchObject({ code: 'database_unavailable', retryable: true })
      expect(response.headers.get('retry-after')).toBe('2')
      expect((await api.call('GET', '/ready')).status).toBe(503)
      expect(await api.call('GET', '/health')).toMatchObject({ status: 200, body: { status: 'down' } })
      proxy.set('open')
      const post = () => api.call('POST', '/tasks', { body: { task_description: 'x' } })
      await expect.poll(async () => (await post()).status, { timeout: 10_000 }).toBe(202)
      await api.close()
      await proxy.close()
    },
  )
})

describe('the OpenAPI document', () => {
  type Document = {
    openapi: string
    paths: Record<string, Record<string, { operationId: string; tags: string[]; security: unknown }>>
    components: { schemas: Record<string, unknown>; securitySchemes: unknown }
  }

  it('is valid OpenAPI 3.1 and describes every route', async () => {
    const { body } = await open.call<Document>('GET', '/openapi.json')
    expect(body.openapi).toBe('3.1.0')
    const paths = Object.keys(body.paths)
    // Each session route exists under a project, and at the root for the default project.
    const sessions = paths.filter((path) => path.startsWith('/session'))
    expect(paths).toEqual(expect.arrayContaining(sessions.map((path) => `/project/{id}${path}`)))
    expect(sessions).toEqual(
      expect.arrayContaining([
        '/session',
        '/session/{sid}',
        ...['init', 'abort', 'share', 'compact', 'message', 'find/file', 'file', 'file/status', 'event', 'fork'].map(
          (name) => `/session/{sid}/${name}`,
        ),
      ]),
    )
    expect(paths.filter((path) => !path.includes('/session')).sort()).toEqual([
      '/config',
      '/deliveries',
      '/deliveries/{id}/retry',
      '/duplicates',
      '/events',
      '/health',
      '/metrics',
      '/project',
      '/project/init',
      '/project/{id}',
      '/project/{id}/agent',
      '/project/{id}/key',
      '/project/{id}/key/rotate',
      '/project/{id}/key/seal',
      '/project/{id}/restart',
      '/project/{id}/sandbox',
      '/project/{id}/sandbox/{name}',
      '/project/{id}/sandbox/{name}/export',
      '/project/{id}/sandbox/{name}/import',
      '/project/{id}/sandbox/{name}/publish',
      '/project/{id}/stop',
      '/provider',
      '/ready',
      '/rollout',
      '/servers',
      '/servers/{project}',
      '/servers/{project}/password',
      '/tasks',
      '/tasks/{id}',
      '/tasks/{id}/control',
      '/tasks/{id}/diff',
      '/tasks/{id}/events',
      '/tasks/{id}/export',
      '/tasks/{id}/files',
      '/tasks/{id}/files/content',
      '/tasks/{id}/messages',
      '/tasks/{id}/publish',
      '/tasks/{id}/requests/{request_id}/reply',
      '/webhooks',
      '/webhooks/{id}',
      '/webhooks/{id}/disable',
      '/webhooks/{id}/enable',
      '/webhooks/{id}/rotate',
      '/webhooks/{id}/test',
    ])
    const operations = Object.values(body.paths).flatMap((path) => Object.values(path))
    expect(new Set(operations.map(({ operationId }) => operationId)).size).toBe(operations.length)
    for (const operation of operations) {
      expect(operation.tags).toHaveLength(1)
      expect(operation.operationId).not.toBe('')
    }
    expect(Object.keys(body.components.schemas)).toEqual(expect.arrayContaining(['Task', 'ExecuteTask', 'Problem']))
    expect(body.components.schemas.ExecuteTask).toMatchObject({ examples: [expect.any(Object)] })
    expect(body.components.securitySchemes).toMatchObject({ bearer: { scheme: 'bearer' } })
  })

  it('has a docs page that loads nothing from other hosts', async () => {
    const { status, body, headers } = await open.call<string>('GET', '/docs')
    expect(status).toBe(200)
    expect(body).not.toMatch(/(src|href)="(https?:)?\/\//)
    expect(headers.get('content-security-policy')).toContain("default-src 'none'")
  })
})

describe('serve', () => {
  it('reports the port that is in use', async () => {
    const { port } = await open.listen()
    await expect(serve(open.api.app, { host: '127.0.0.1', port })).rejects.toMatchObject({
      code: 'address_in_use',
      message: expect.stringContaining(String(port)),
    })
  })

  it('closes within the time limit despite keep-alive connections', async () => {
    const other = await startApi(database.url)
    const { port, url } = await other.listen()
    const idle = connect(port, '127.0.0.1')
    await fetch(`${url}/health`)
    const { task_id: id } = await other.accept()
    const stream = await fetch(`${url}/tasks/${id}/events`, { headers: { accept: 'text/event-stream' } })
    const began = performance.now()
    await other.close()
    expect(performance.now() - began).toBeLessThan(2_000)
    await stream.body?.cancel().catch(() => {})
    idle.destroy()
  })
})
