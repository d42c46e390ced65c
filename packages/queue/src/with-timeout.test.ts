import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { withTimeout } from './with-timeout.ts'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

describe('withTimeout', () => {
  it('returns the result of the call and leaves no timer behind', async () => {
    await expect(withTimeout(Promise.resolve(3), 'adding a job')).resolves.toBe(3)
    expect(vi.getTimerCount()).toBe(0)
  })

  it('reports a failed call as queue_unavailable, with its cause', async () => {
    const cause = new Error('ECONNREFUSED')
    await expect(withTimeout(Promise.reject(cause), 'adding a job')).rejects.toMatchObject({
      code: 'queue_unavailable',
      message: 'adding a job failed: ECONNREFUSED',
      retryable: true,
      cause,
    })
    expect(vi.getTimerCount()).toBe(0)
  })

  it('reports a call without an answer as queue_unavailable after two seconds', async () => {
    let error: unknown
    const call = withTimeout(new Promise(() => {}), 'counting jobs').catch((reason: unknown) => {
      error = reason
    })
    await vi.advanceTimersByTimeAsync(1_999)
    expect(error).toBeUndefined()
    await vi.advanceTimersByTimeAsync(1)
    await call
    expect(error).toMatchObject({
      code: 'queue_unavailable',
      message: 'counting jobs failed: no answer within 2000 ms',
    })
  })

  it('ignores a call that fails after the timeout', async () => {
    const unhandled = vi.fn()
    process.on('unhandledRejection', unhandled)
    const late = Promise.withResolvers<never>()
    const call = expect(withTimeout(late.promise, 'adding a job')).rejects.toMatchObject({ code: 'queue_unavailable' })
    await vi.advanceTimersByTimeAsync(2_000)
    await call
    late.reject(new Error('connection reset'))
    vi.useRealTimers()
    await new Promise((resolve) => setImmediate(resolve))
    process.off('unhandledRejection', unhandled)
    expect(unhandled).not.toHaveBeenCalled()
  })
})
