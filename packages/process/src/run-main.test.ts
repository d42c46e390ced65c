import { describe, expect, it, vi } from 'vitest'
import { FakeHost } from './host.fixture.ts'
import { type RunContext, runMain } from './run-main.ts'

const environment = { SWITCHYARD_HOME: '/tmp/switchyard-run-main', LOG_LEVEL: 'silent' }

describe('runMain', () => {
  it('gives the service its configuration and stops its components in the opposite order', async () => {
    const host = new FakeHost()
    const stopped: string[] = []
    const started = Promise.withResolvers<RunContext>()
    const start = async (context: RunContext) => {
      context.shutdown.add('database', 1_000, () => void stopped.push('database'))
      context.shutdown.add('server', 1_000, () => void stopped.push('server'))
      started.resolve(context)
    }
    void runMain('notifier', { stopMs: 1_000, start, environment, host })
    expect((await started.promise).config.home).toBe(environment.SWITCHYARD_HOME)
    host.send('SIGTERM')
    expect(await host.exited.promise).toBe(0)
    expect(stopped).toEqual(['server', 'database'])
  })

  it('prints what is wrong with the configuration and exits with 1', async () => {
    const host = new FakeHost()
    const start = vi.fn(async () => {})
    await runMain('api', { stopMs: 1_000, start, environment: { ...environment, PORT: 'many' }, host })
    expect(host.codes).toEqual([1])
    expect(host.printed).toMatch(/^configuration_invalid: .*PORT/)
    expect(start).not.toHaveBeenCalled()
  })

  it('stops what has started when a signal arrives during the start, and does not wait for the rest', async () => {
    const host = new FakeHost()
    const stopped: string[] = []
    const start = async ({ shutdown }: RunContext) => {
      shutdown.add('database', 1_000, () => void stopped.push('database'))
      await new Promise(() => {})
    }
    void runMain('worker', { stopMs: 1_000, start, environment, host })
    host.send('SIGTERM')
    expect(await host.exited.promise).toBe(0)
    expect(stopped).toEqual(['database'])
  })

  it('exits with 1 when a component does not stop before the limit', async () => {
    const host = new FakeHost()
    const started = Promise.withResolvers<void>()
    const start = async ({ shutdown }: RunContext) => {
      shutdown.add('server', 60_000, () => new Promise(() => {}))
      started.resolve()
    }
    void runMain('worker', { stopMs: 20, start, environment, host })
    await started.promise
    host.send('SIGTERM')
    expect(await host.exited.promise).toBe(1)
  })
})
