import { describe, expect, it } from 'vitest'
import { deadlineIn, RateLimited, RateLimiter } from './rate-limiter.ts'

class Refused extends Error {
  readonly ms: number
  constructor(ms: number) {
    super('too many calls')
    this.ms = ms
  }
}

const delayOf = (error: unknown): number | null => (error instanceof Refused ? error.ms : null)

describe('RateLimiter', () => {
  it('runs eight calls at a time', async () => {
    const limiter = new RateLimiter()
    let running = 0
    let max = 0
    const full = Promise.withResolvers<void>()
    const call = async () => {
      running += 1
      max = Math.max(max, running)
      if (running === 8) full.resolve()
      await full.promise
      running -= 1
    }
    await Promise.all(Array.from({ length: 20 }, () => limiter.run(deadlineIn(5_000), call, delayOf)))
    expect(max).toBe(8)
  })

  it('repeats a call after the delay that the server asks for', async () => {
    const limiter = new RateLimiter()
    let calls = 0
    const call = async () => {
      calls += 1
      if (calls === 1) throw new Refused(20)
      return 'ok'
    }
    expect(await limiter.run(deadlineIn(5_000), call, delayOf)).toBe('ok')
    expect(limiter.isLimited).toBe(true)
  })

  it('fails without a call if the delay exceeds the deadline, and reports the delay', async () => {
    const limiter = new RateLimiter()
    let calls = 0
    const call = async () => {
      calls += 1
      throw new Refused(60_000)
    }
    for (let attempts = 0; attempts < 3; attempts += 1) {
      const error: unknown = await limiter.run(deadlineIn(5_000), call, delayOf).catch((reason: unknown) => reason)
      expect(error).toBeInstanceOf(RateLimited)
      expect((error as RateLimited).retryAfterMs).toBeGreaterThan(50_000)
    }
    expect(calls).toBe(1)
  })

  it('frees the capacity of a failed call', async () => {
    const limiter = new RateLimiter()
    const broken = () => limiter.run(deadlineIn(5_000), () => Promise.reject(new Error('broken')), delayOf)
    for (let attempts = 0; attempts < 20; attempts += 1) await expect(broken()).rejects.toThrow('broken')
    expect(await limiter.run(deadlineIn(5_000), async () => 'ok', delayOf)).toBe('ok')
  })
})
