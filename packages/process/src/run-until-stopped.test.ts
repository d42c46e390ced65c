import { SwitchyardError } from '@switchyard/contracts'
import { describe, expect, it, vi } from 'vitest'
import { FakeHost } from './host.fixture.ts'
import { type Lifetime, runUntilStopped } from './run-until-stopped.ts'

const signals = ['SIGTERM', 'SIGINT'] as const

describe('runUntilStopped', () => {
  it('stops the program after a signal and exits with 0', async () => {
    const host = new FakeHost()
    const stop = vi.fn(async () => true)
    const onSignal = vi.fn()
    void runUntilStopped({ signals, onSignal, host, start: async () => stop })
    host.send('SIGINT')
    expect(await host.exited.promise).toBe(0)
    expect(stop).toHaveBeenCalledTimes(1)
    expect(onSignal).toHaveBeenCalledWith('SIGINT')
  })

  it('exits with 1 when something did not stop', async () => {
    const host = new FakeHost()
    void runUntilStopped({ signals, host, start: async () => async () => false })
    host.send('SIGTERM')
    expect(await host.exited.promise).toBe(1)
    expect(host.printed).toBe('')
  })

  it('exits with 1 immediately after the second signal', async () => {
    const host = new FakeHost()
    void runUntilStopped({ signals, host, start: async () => () => new Promise(() => {}) })
    host.send('SIGINT')
    host.send('SIGTERM')
    expect(host.codes).toEqual([1])
  })

  it('prints code, message and hint when the start fails, and exits with 1', async () => {
    const host = new FakeHost()
    const start = async () => {
      throw new SwitchyardError('configuration_invalid', 'DATABASE_URL is not set', { hint: 'Set DATABASE_URL.' })
    }
    await runUntilStopped({ signals, host, start })
    expect(host.codes).toEqual([1])
    expect(host.printed).toBe('configuration_invalid: DATABASE_URL is not set\nSet DATABASE_URL.\n')
  })

  it('prints the stack of an unexpected error', async () => {
    const host = new FakeHost()
    const start = async () => {
      throw new Error('a bug')
    }
    await runUntilStopped({ signals, host, start })
    expect(host.printed).toMatch(/^Error: a bug\n\s+at /)
  })

  it('exits with 0, without a message, when a signal aborts the start', async () => {
    const host = new FakeHost()
    const start = async ({ signal }: Lifetime) => {
      await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
      return async () => true
    }
    void runUntilStopped({ signals, host, start })
    host.send('SIGTERM')
    expect(await host.exited.promise).toBe(0)
    expect(host.printed).toBe('')
  })

  it('stops the program, prints the error and exits with 1 after a fatal error', async () => {
    const host = new FakeHost()
    const stop = vi.fn(async () => true)
    const start = async ({ fail }: Lifetime) => {
      setImmediate(() => fail(new SwitchyardError('database_unavailable', 'PostgreSQL stopped')))
      return stop
    }
    void runUntilStopped({ signals, host, start })
    expect(await host.exited.promise).toBe(1)
    expect(stop).toHaveBeenCalledTimes(1)
    expect(host.printed).toContain('database_unavailable: PostgreSQL stopped\n')
  })
})
