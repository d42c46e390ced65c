import { describe, expect, it } from 'vitest'
import { startFakeEngine } from './engine.fixture.ts'
import { callJson, engineAddress, openCall } from './engine-calls.ts'

describe('engineAddress', () => {
  it.each([
    ['unix:///var/run/docker.sock', { socketPath: '/var/run/docker.sock' }],
    ['unix:///run/my%20docker.sock', { socketPath: '/run/my docker.sock' }],
    ['tcp://engine:2376', { host: 'engine', port: 2376 }],
    ['tcp://engine', { host: 'engine', port: 2375 }],
  ])('parses %s', (host, address) => {
    expect(engineAddress(host)).toEqual(address)
  })
})

describe('callJson', () => {
  it('sends a body as JSON and returns status and value', async () => {
    await using engine = await startFakeEngine({ 'POST /containers/create': { status: 201, json: { Id: 'a1' } } })
    const answer = await callJson(engine.address, { method: 'POST', path: '/containers/create?name=x', body: { A: 1 } })
    expect(answer).toEqual({ status: 201, json: { Id: 'a1' } })
    expect(engine.calls).toEqual([{ route: 'POST /containers/create?name=x', body: '{"A":1}' }])
  })

  it('returns undefined for an empty response', async () => {
    await using engine = await startFakeEngine({ 'POST /containers/a1/start': { status: 204 } })
    expect(await callJson(engine.address, { method: 'POST', path: '/containers/a1/start' })).toEqual({
      status: 204,
      json: undefined,
    })
  })

  it('rejects a response of more than 16 MiB', async () => {
    const half = Buffer.alloc(9 * 1_048_576)
    await using engine = await startFakeEngine({
      'GET /version': {
        stream: (outgoing) => {
          outgoing.on('error', () => {})
          outgoing.write(half)
          outgoing.end(half)
        },
      },
    })
    const call = callJson(engine.address, { method: 'GET', path: '/version' })
    await expect(call).rejects.toThrow('response of the engine exceeds')
  })

  it('rejects when the engine does not listen', async () => {
    const call = callJson({ socketPath: '/nonexistent/docker.sock' }, { method: 'GET', path: '/version' })
    await expect(call).rejects.toMatchObject({ code: 'ENOENT' })
  })
})

describe('openCall', () => {
  it('streams the response until the signal aborts', async () => {
    await using engine = await startFakeEngine({
      'GET /containers/a1/logs': { stream: (outgoing) => void outgoing.write('one') },
    })
    const reading = new AbortController()
    const answer = await openCall(engine.address, {
      method: 'GET',
      path: '/containers/a1/logs',
      signal: reading.signal,
    })
    const [first] = await answer.take(1).toArray()
    expect(String(first)).toBe('one')
    reading.abort()
  })
})
