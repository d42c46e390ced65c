import { QUEUE_NAMES, type QueueName } from '@switchyard/contracts'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { bucketOf, decide, mayBeProbe, type Rules } from './decide.ts'

const RULES: Rules = {
  serverEnabled: true,
  percent: 100,
  pools: { blue: 100, green: 0 },
  fixed: null,
  breaker: { state: 'closed', side: null },
  unserved: new Set(),
  starting: new Set(),
}

const rules = (over: Partial<Rules> = {}): Rules => ({ ...RULES, ...over })
const of = (
  over: Partial<Rules>,
  subject = 'agent',
  more: { requestedMode?: 'opencode' | 'docker'; isProbe?: boolean } = {},
) => decide(rules(over), { subject, requestedMode: more.requestedMode, isProbe: more.isProbe ?? false })
const queues = (...queueNames: readonly QueueName[]): ReadonlySet<QueueName> => new Set(queueNames)

const subject = fc.string({ minLength: 1, maxLength: 200 })
const percent = fc.integer({ min: 0, max: 100 })

describe('the percentage', () => {
  it('keeps an agent on OpenCode servers as it grows', () => {
    fc.assert(
      fc.property(subject, percent, percent, (name, one, other) => {
        const [less, more] = [Math.min(one, other), Math.max(one, other)]
        if (of({ percent: less }, name).mode === 'opencode') expect(of({ percent: more }, name).mode).toBe('opencode')
      }),
    )
  })

  it('keeps an agent in its pool as the pool grows', () => {
    fc.assert(
      fc.property(subject, percent, percent, (name, one, other) => {
        const [less, more] = [Math.min(one, other), Math.max(one, other)]
        const pool = (green: number) => of({ pools: { blue: 100 - green, green } }, name).pool
        if (pool(less) === 'green') expect(pool(more)).toBe('green')
      }),
    )
  })

  it('sends every task to one side at 0 and 100 percent', () => {
    fc.assert(
      fc.property(subject, (name) => {
        expect(of({ percent: 0 }, name)).toMatchObject({ mode: 'docker', pool: null, reason: 'rollout' })
        expect(of({ percent: 100 }, name)).toMatchObject({ mode: 'opencode', pool: 'blue', reason: 'rollout' })
        expect(of({ pools: { blue: 0, green: 100 } }, name).pool).toBe('green')
      }),
    )
  })

  it.each([1, 10, 37, 50, 90])(
    'gives each side its share: %i percent of ten thousand agents, within 1.5 points',
    (share) => {
      const names = Array.from({ length: 10_000 }, (_, n) => `agent-${n}`)
      const servers = names.filter((name) => of({ percent: share }, name).mode === 'opencode')
      expect(Math.abs(servers.length / 100 - share)).toBeLessThan(1.5)
      const green = names.filter((name) => of({ pools: { blue: 100 - share, green: share } }, name).pool === 'green')
      expect(Math.abs(green.length / 100 - share)).toBeLessThan(1.5)
    },
  )

  it('chooses the pool independently of the mode', () => {
    const names = Array.from({ length: 10_000 }, (_, n) => `agent-${n}`)
    const early = names.filter((name) => of({ percent: 10 }, name).mode === 'opencode')
    const green = early.filter((name) => of({ pools: { blue: 50, green: 50 } }, name).pool === 'green')
    expect(Math.abs(green.length / early.length - 0.5)).toBeLessThan(0.06)
  })

  it('keeps the bucket of an agent, which is part of the contract', () => {
    expect([bucketOf('agent', 'mode'), bucketOf('agent', 'pool')]).toEqual([1.88, 69.91])
  })
})

describe('rules that precede the percentage', () => {
  it('uses the requested mode, even against the breaker and the fixed side', () => {
    expect(of({ fixed: 'opencode' }, 'a', { requestedMode: 'docker' })).toMatchObject({
      mode: 'docker',
      reason: 'asked',
    })
  })

  it('sends every task to docker if servers are disabled', () => {
    expect(of({ serverEnabled: false })).toMatchObject({ mode: 'docker', reason: 'server_disabled', pool: null })
  })

  it('keeps a task on servers that docker mode does not support', () => {
    const choice = { subject: 'a', requestedMode: undefined, unsupportedByDocker: 'permissions ask' }
    for (const over of [{ percent: 0 }, { fixed: 'docker' as const }])
      expect(decide(rules(over), choice)).toMatchObject({ mode: 'opencode', reason: 'docker_cannot', pool: 'blue' })
  })

  it('uses a fixed side even if no worker serves it', () => {
    expect(of({ fixed: 'docker', unserved: queues('docker') })).toMatchObject({ mode: 'docker', reason: 'fixed' })
  })

  it('avoids a side while the breaker is open, unless the percentage is fixed', () => {
    const breaker = { state: 'open', side: 'opencode' } as const
    expect(of({ breaker })).toMatchObject({ mode: 'docker', reason: 'breaker' })
    expect(of({ breaker, percent: 0 })).toMatchObject({ mode: 'docker', reason: 'rollout' })
    expect(of({ breaker, fixed: 'percent' })).toMatchObject({ mode: 'opencode', reason: 'rollout' })
  })

  it('lets probes through', () => {
    const breaker = { state: 'half_open', side: 'opencode' } as const
    expect(mayBeProbe(rules({ breaker }), { subject: 'a', requestedMode: undefined })).toBe(true)
    expect(mayBeProbe(rules({ breaker, percent: 0 }), { subject: 'a', requestedMode: undefined })).toBe(false)
    expect(mayBeProbe(rules({ breaker }), { subject: 'a', requestedMode: 'opencode' })).toBe(false)
    expect(of({ breaker }, 'a', { isProbe: true })).toMatchObject({ mode: 'opencode', reason: 'probe' })
    expect(of({ breaker }, 'a')).toMatchObject({ mode: 'docker', reason: 'breaker' })
  })
})

describe('sides without a live worker', () => {
  it('are replaced by the other side, with the reason', () => {
    expect(of({ percent: 0, unserved: queues('docker') })).toMatchObject({ mode: 'opencode', reason: 'no_worker' })
    expect(of({ percent: 99.99, unserved: queues('blue', 'green') })).toMatchObject({
      mode: 'docker',
      reason: 'no_worker',
    })
  })

  it('are kept while the other side is still starting', () => {
    const starting = queues('blue', 'green')
    expect(of({ percent: 0, unserved: queues('docker'), starting })).toMatchObject({
      mode: 'docker',
      reason: 'rollout',
    })
    const dockerStarting = { unserved: queues('blue', 'green'), starting: queues('docker') }
    expect(of({ percent: 99.99, ...dockerStarting })).toMatchObject({ mode: 'opencode', reason: 'rollout' })
  })

  it('are kept while they are starting themselves', () => {
    expect(of({ percent: 0, starting: queues('docker') })).toMatchObject({ mode: 'docker', reason: 'rollout' })
    expect(of({ percent: 99.99, starting: queues('blue', 'green') })).toMatchObject({ mode: 'opencode' })
  })

  it('are kept at 100 percent, because docker mode is not in use', () => {
    expect(of({ percent: 100, unserved: queues('blue', 'green') })).toMatchObject({
      mode: 'opencode',
      reason: 'rollout',
    })
  })

  it('are replaced by the other pool, even a drained one', () => {
    const { pool, detail } = of({ pools: { blue: 0, green: 100 }, unserved: queues('green') })
    expect(pool).toBe('blue')
    expect(detail).toContain('green has no live worker')
  })

  it('are kept if no side has a live worker', () => {
    expect(of({ percent: 0, unserved: queues(...QUEUE_NAMES) })).toMatchObject({ mode: 'docker', reason: 'rollout' })
    expect(of({ pools: { blue: 0, green: 100 }, unserved: queues(...QUEUE_NAMES) }).pool).toBe('green')
  })

  it('are chosen only if the other side has no live worker either, or at 100 percent', () => {
    fc.assert(
      fc.property(subject, percent, percent, fc.subarray([...QUEUE_NAMES]), (name, share, green, queueNames) => {
        const { mode, pool } = of(
          { percent: share, pools: { blue: 100 - green, green }, unserved: queues(...queueNames) },
          name,
        )
        if (queueNames.includes(pool ?? 'docker') && !(mode === 'opencode' && share === 100))
          expect([mode, queueNames.length]).toEqual([mode, QUEUE_NAMES.length])
      }),
    )
  })
})
