import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Mailbox } from './mailbox.ts'

describe('Mailbox', () => {
  beforeEach(() => {
    vi.useFakeTimers()
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  const { signal } = new AbortController()

  it('returns everything that was put, in order, and each item once', async () => {
    const mailbox = new Mailbox<number>(10, 0)
    mailbox.put(1)
    mailbox.put(2)
    expect(await mailbox.take(1_000, signal)).toEqual([1, 2])
    const next = mailbox.take(1_000, signal)
    mailbox.put(3)
    expect(await next).toEqual([3])
  })

  it('returns nothing after the timeout or when the signal aborts', async () => {
    const mailbox = new Mailbox<number>(10, 0)
    const timedOut = mailbox.take(1_000, signal)
    await vi.advanceTimersByTimeAsync(1_000)
    expect(await timedOut).toEqual([])
    const controller = new AbortController()
    const aborted = mailbox.take(1_000, controller.signal)
    controller.abort()
    expect(await aborted).toEqual([])
    expect(await mailbox.take(1_000, controller.signal)).toEqual([])
  })

  it('replaces its content by the overflow mark when it is full', async () => {
    const mailbox = new Mailbox<number>(3, 0)
    for (const item of [1, 2, 3, 4, 5]) mailbox.put(item)
    expect(await mailbox.take(1_000, signal)).toEqual([0, 4, 5])
  })
})
