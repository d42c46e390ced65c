import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createShutdown } from './shutdown.ts'

const never = () => new Promise<void>(() => {})

describe('createShutdown', () => {
  beforeEach(() => {
    vi.useFakeTimers()
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  it('stops the last added component first, one at a time and once, however often it runs', async () => {
    const shutdown = createShutdown({ warn: vi.fn() })
    const stopped: string[] = []
    shutdown.add('first', 1_000, () => void stopped.push('first'))
    shutdown.add('second', 1_000, async () => {
      await new Promise((resolve) => setTimeout(resolve, 500))
      stopped.push('second')
    })
    const runs = Promise.all([shutdown.run(), shutdown.run()])
    await vi.advanceTimersByTimeAsync(500)
    expect(await runs).toEqual([true, true])
    expect(stopped).toEqual(['second', 'first'])
  })

  it('logs a component that fails or exceeds its timeout and goes on with the next one', async () => {
    const warn = vi.fn()
    const shutdown = createShutdown({ warn })
    const stopped: string[] = []
    shutdown.add('first', 1_000, () => void stopped.push('first'))
    shutdown.add('hangs', 10, never)
    shutdown.add('fails', 1_000, () => {
      throw new Error('no')
    })
    shutdown.add('last', 1_000, async () => void stopped.push('last'))
    const run = shutdown.run()
    await vi.advanceTimersByTimeAsync(10)
    expect(await run).toBe(false)
    expect(stopped).toEqual(['last', 'first'])
    expect(warn.mock.calls.map(([facts, message]) => [facts.component, message])).toEqual([
      ['fails', 'component failed to stop'],
      ['hangs', 'component did not stop before the shutdown timeout'],
    ])
  })

  it('gives up on the remaining components when the total limit has passed', async () => {
    const warn = vi.fn()
    const shutdown = createShutdown({ warn }, { totalMs: 100 })
    const first = vi.fn()
    shutdown.add('first', 1_000, first)
    shutdown.add('hangs', 1_000, never)
    const run = shutdown.run()
    await vi.advanceTimersByTimeAsync(100)
    expect(await run).toBe(false)
    expect(first).not.toHaveBeenCalled()
    expect(warn).toHaveBeenCalledTimes(1)
  })
})
