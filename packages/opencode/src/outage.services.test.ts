import { setTimeout as delay } from 'node:timers/promises'
import { type OpenCodeProcess, type ScriptedModel, startOpenCode, startScriptedModel } from '@switchyard/testing'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { createDirectories, eventually, quiet } from './opencode.fixture.ts'
import { OpenCodeServer } from './opencode-server.ts'
import { createOutageProxy, OUTAGES, type OutageProxy } from './outage-proxy.fixture.ts'
import type { ServerLauncher } from './server/launcher.ts'
import { remoteServer } from './server/remote-server.ts'

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

const MAX_RETRIES = 1
/** Many times longer than it takes to find the server unreachable `MAX_RETRIES` times. */
const OUTAGE_MS = 1_500

describe('an outage of a remote server', () => {
  let model: ScriptedModel
  let opencode: OpenCodeProcess
  let proxy: OutageProxy
  let directories: Awaited<ReturnType<typeof createDirectories>>
  const open: OpenCodeServer[] = []

  beforeAll(async () => {
    directories = await createDirectories()
    model = await startScriptedModel()
    opencode = await startOpenCode({ modelUrl: model.url })
    proxy = await createOutageProxy(() => Number(new URL(opencode.url).port))
  })

  afterEach(async () => {
    for (const server of open.splice(0)) await server.close()
    await proxy.end()
  })

  afterAll(async () => {
    await proxy?.close()
    await opencode?.close()
    await model?.close()
    await directories?.remove()
  })

  const start = (launcher: ServerLauncher, outageMs = 30_000): OpenCodeServer => {
    const server = OpenCodeServer.start({
      launcher,
      logger: quiet,
      maxRetries: MAX_RETRIES,
      outageMs,
      healthCheckIntervalMs: 50,
      healthTimeoutMs: 300,
      silenceMs: 600,
      retryDelayMs: 20,
      maxRetryDelayMs: 200,
      callTimeoutMs: 1_000,
    })
    open.push(server)
    return server
  }
  const throughProxy = () => remoteServer({ url: proxy.url, password: opencode.password })

  /** Returns whether the promise settles within {@link OUTAGE_MS}. */
  const settles = (promise: Promise<unknown>): Promise<boolean> => {
    const settled = () => true
    return Promise.race([promise.then(settled, settled), delay(OUTAGE_MS, false)])
  }

  it.each(OUTAGES)('is waited for, whatever the number of attempts: %s', async (outage) => {
    const server = start(throughProxy())
    await server.ready()
    const { directory } = directories
    const session = await server.client.createSession({ directory, title: outage })
    await proxy.begin(outage)
    await eventually('the server is down', () => server.state().status === 'down')
    await expect(server.client.session({ sessionId: session.id, directory })).rejects.toMatchObject({
      code: 'opencode_unavailable',
      retryable: true,
    })
    const ready = server.ready()
    expect(await settles(ready)).toBe(false)
    await proxy.end()
    await ready
    expect(server.state()).toMatchObject({ status: 'up', epoch: 2 })
    expect((await server.client.session({ sessionId: session.id, directory })).id).toBe(session.id)
  })

  it.each(OUTAGES)('makes a call fail as retryable before a health check has noticed it: %s', async (outage) => {
    const server = start(throughProxy())
    await server.ready()
    await proxy.begin(outage)
    await expect(server.client.statuses(directories.directory)).rejects.toMatchObject({
      code: 'opencode_unavailable',
      retryable: true,
    })
  })

  it.each([
    ['its name does not resolve', 'http://opencode.invalid:4096'],
    ['there is no route to it', 'http://240.0.0.1:4096'],
  ])('is waited for when %s', async (_why, unreachable) => {
    let url = unreachable
    const moving: ServerLauncher = {
      kind: 'remote',
      id: 'moving',
      launch: (options) => remoteServer({ url, password: opencode.password }).launch(options),
    }
    const server = start(moving)
    const ready = server.ready()
    expect(await settles(ready)).toBe(false)
    url = opencode.url
    await ready
  })

  it.each(OUTAGES)('ends the wait after the configured time, and not before: %s', async (outage) => {
    await proxy.begin(outage)
    const server = start(throughProxy(), OUTAGE_MS)
    const startedAt = performance.now()
    await expect(server.ready()).rejects.toMatchObject({ code: 'opencode_unavailable', retryable: true })
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(OUTAGE_MS - 5)
  })
})
