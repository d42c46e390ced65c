import { describe, expect, it } from 'vitest'
import { LimitExceeded, Pace, within } from './pace.ts'

class PutOff extends Error {
  readonly ms: number
  constructor(ms: number) {
    super('too fast')
    this.ms = ms
  }
}

const askedToWait = (error: unknown): number | null => (error instanceof PutOff ? error.ms : null)

describe('the pace of calls', () => {
  it('is so many at once', async () => {
    const pace = new Pace()
    let running = 0
    let most = 0
    const turn = Promise.withResolvers<void>()
    const call = async () => {
      running += 1
      most = Math.max(most, running)
      if (running === 8) turn.resolve()
      await turn.promise
      running -= 1
    }
    await Promise.all(Array.from({ length: 20 }, () => pace.run(within(5_000), call, askedToWait)))
    expect(most).toBe(8)
  })

  it('makes a call again that was put off', async () => {
    const pace = new Pace()
    let calls = 0
    const call = async () => {
      calls += 1
      if (calls === 1) throw new PutOff(20)
      return 'said'
    }
    expect(await pace.run(within(5_000), call, askedToWait)).toBe('said')
    expect(pace.isLimited).toBe(true)
  })

  it('gives up what cannot be said in its time, without asking, and says when it can', async () => {
    const pace = new Pace()
    let calls = 0
    const call = async () => {
      calls += 1
      throw new PutOff(60_000)
    }
    for (let attempts = 0; attempts < 3; attempts += 1) {
      const error: unknown = await pace.run(within(5_000), call, askedToWait).catch((reason: unknown) => reason)
      expect(error).toBeInstanceOf(LimitExceeded)
      expect((error as LimitExceeded).retryAfterMs).toBeGreaterThan(50_000)
    }
    expect(calls).toBe(1)
  })

  it('lets others go on after a failure', async () => {
    const pace = new Pace()
    const broken = () => pace.run(within(5_000), () => Promise.reject(new Error('broken')), askedToWait)
    for (let attempts = 0; attempts < 20; attempts += 1) await expect(broken()).rejects.toThrow('broken')
    expect(await pace.run(within(5_000), async () => 'said', askedToWait)).toBe('said')
  })
})
