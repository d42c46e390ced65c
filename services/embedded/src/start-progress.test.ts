import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createStartProgress } from './start-progress.ts'

describe('createStartProgress', () => {
  beforeEach(() => {
    vi.useFakeTimers()
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  it('logs the component that a long start waits for, every 10 s until it is disposed', () => {
    const warn = vi.fn()
    {
      using progress = createStartProgress({ warn })
      progress.waitFor('postgres')
      vi.advanceTimersByTime(10_000)
      progress.waitFor('worker')
      vi.advanceTimersByTime(10_000)
    }
    vi.advanceTimersByTime(60_000)
    expect(warn.mock.calls).toEqual([
      [{ component: 'postgres', seconds: 10 }, 'still starting'],
      [{ component: 'worker', seconds: 20 }, 'still starting'],
    ])
  })
})
