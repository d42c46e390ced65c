import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { repeat } from './repeat.ts'

const createLog = () => {
  const lines: string[] = []
  const level = (name: string) => (_facts: unknown, message?: string) => void lines.push(`${name} ${message}`)
  return { lines, logger: { debug: level('debug'), info: level('info'), warn: level('warn') } }
}

describe('repeat', () => {
  beforeEach(() => {
    vi.useFakeTimers()
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  const { logger } = createLog()

  it('starts a round every interval, the first one after the first interval', async () => {
    const work = vi.fn(async () => {})
    const loop = repeat({ name: 'sweep', everyMs: 100, work, logger })
    await vi.advanceTimersByTimeAsync(99)
    expect(work).toHaveBeenCalledTimes(0)
    await vi.advanceTimersByTimeAsync(1)
    expect(work).toHaveBeenCalledTimes(1)
    await vi.advanceTimersByTimeAsync(200)
    expect(work).toHaveBeenCalledTimes(3)
    await loop.stop()
  })

  it('runs one round at a time and skips the starts that a long round has missed', async () => {
    const startedAt: number[] = []
    const work = async () => {
      startedAt.push(Date.now())
      await new Promise((resolve) => setTimeout(resolve, 250))
    }
    const began = Date.now()
    const loop = repeat({ name: 'sweep', everyMs: 100, work, logger })
    await vi.advanceTimersByTimeAsync(700)
    expect(startedAt.map((at) => at - began)).toEqual([100, 400, 700])
    const stopped = loop.stop()
    await vi.advanceTimersByTimeAsync(250)
    await stopped
  })

  it('waits as long as a round asks for', async () => {
    const work = vi.fn(async () => 10)
    const loop = repeat({ name: 'sweep', everyMs: 100, work, logger })
    await vi.advanceTimersByTimeAsync(100)
    await vi.advanceTimersByTimeAsync(20)
    expect(work).toHaveBeenCalledTimes(3)
    await loop.stop()
  })

  it('stays idle after a round that returns Infinity until runNow is called', async () => {
    const work = vi.fn(async () => Number.POSITIVE_INFINITY)
    const loop = repeat({ name: 'sweep', everyMs: 100, work, logger })
    await vi.advanceTimersByTimeAsync(10_000)
    expect(work).toHaveBeenCalledTimes(1)
    loop.runNow()
    await vi.advanceTimersByTimeAsync(10_000)
    expect(work).toHaveBeenCalledTimes(2)
    await loop.stop()
  })

  it('runs once more after the round in progress, however often runNow is called meanwhile', async () => {
    let finish = () => {}
    const work = vi.fn(
      () =>
        new Promise<void>((resolve) => {
          finish = resolve
        }),
    )
    const loop = repeat({ name: 'sweep', everyMs: 100, work, logger })
    loop.runNow()
    loop.runNow()
    loop.runNow()
    expect(work).toHaveBeenCalledTimes(1)
    finish()
    await vi.advanceTimersByTimeAsync(0)
    expect(work).toHaveBeenCalledTimes(2)
    finish()
    await vi.advanceTimersByTimeAsync(99)
    expect(work).toHaveBeenCalledTimes(2)
    await loop.stop()
  })

  it('logs one warning per outage and one line when it is over', async () => {
    const log = createLog()
    let isDown = true
    const work = async () => {
      if (isDown) throw new Error('no database')
    }
    const loop = repeat({ name: 'sweep', everyMs: 100, work, logger: log.logger })
    await vi.advanceTimersByTimeAsync(300)
    isDown = false
    await vi.advanceTimersByTimeAsync(200)
    expect(log.lines.filter((line) => !line.startsWith('debug'))).toEqual([
      'warn sweep failed; retrying',
      'info sweep recovered',
    ])
    await loop.stop()
  })

  it('retries after the delay that the failure asks for, and keeps an expected failure out of the warnings', async () => {
    const log = createLog()
    const work = vi.fn(async () => {
      throw new Error('rate limited')
    })
    const onFailure = () => ({ retryMs: 10, isExpected: true })
    const loop = repeat({ name: 'sync', everyMs: 100, work, onFailure, logger: log.logger })
    await vi.advanceTimersByTimeAsync(120)
    expect(work).toHaveBeenCalledTimes(3)
    expect(new Set(log.lines)).toEqual(new Set(['debug sync failed']))
    await loop.stop()
  })

  it('aborts the signal of the round in progress when it stops, waits for it, and starts no other', async () => {
    const log = createLog()
    const work = vi.fn(async (signal: AbortSignal): Promise<void> => {
      await new Promise((_, reject) => {
        signal.addEventListener('abort', () => setTimeout(() => reject(signal.reason), 50))
      })
    })
    const loop = repeat({ name: 'sweep', everyMs: 100, work, logger: log.logger })
    loop.runNow()
    let isStopped = false
    const stopped = loop.stop().then(() => {
      isStopped = true
    })
    await vi.advanceTimersByTimeAsync(49)
    expect(isStopped).toBe(false)
    await vi.advanceTimersByTimeAsync(1)
    await stopped
    loop.runNow()
    await vi.advanceTimersByTimeAsync(1_000)
    expect(work).toHaveBeenCalledTimes(1)
    expect(log.lines).toEqual(['debug sweep failed'])
  })
})
