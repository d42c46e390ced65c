import type { Mode } from '@switchyard/contracts'
import type { BreakerMove, BreakerRow, ProbeOutcome, SideOutcome } from '@switchyard/records'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type BreakerSettings, cooldownOf, nextBreakerMove } from './breaker.ts'

const SETTINGS: BreakerSettings = {
  windowMs: 300_000,
  minTasks: 10,
  failurePercent: 30,
  cooldownMs: 60_000,
  probes: 3,
}
const T0 = new Date('2026-01-01T00:00:00Z')
const later = (ms: number): Date => new Date(T0.getTime() + ms)

const row = (over: Partial<BreakerRow> = {}): BreakerRow => ({
  breaker_state: 'closed',
  breaker_side: null,
  breaker_since: T0,
  breaker_trips: 0,
  probes_sent: 0,
  probes_allowed: 0,
  probe_claimed_at: null,
  ...over,
})
const OPEN = { breaker_state: 'open', breaker_side: 'opencode', breaker_trips: 1 } as const
const HALF_OPEN = { ...OPEN, breaker_state: 'half_open', probes_allowed: 3 } as const

type Sides = Partial<Record<Mode, SideOutcome>>

const see = (
  before: BreakerRow,
  sides: Sides = {},
  at: Date = T0,
  isServed: (mode: Mode) => boolean = () => true,
): BreakerMove | null =>
  nextBreakerMove(before, SETTINGS, {
    sides: new Map(Object.entries(sides) as [Mode, SideOutcome][]),
    probes: NONE,
    now: at,
    isServed,
  })

const NONE: ProbeOutcome = { sent: 0, passed: 0, failed: 0, cancelled: 0 }

const probe = (before: Partial<BreakerRow>, probes: Partial<ProbeOutcome>): BreakerMove | null =>
  nextBreakerMove(row({ ...HALF_OPEN, ...before }), SETTINGS, {
    sides: new Map(),
    probes: { ...NONE, ...probes },
    now: later(60_000),
    isServed: () => true,
  })

describe('closed', () => {
  it('opens if one side exceeds the failure threshold and the other does not', () => {
    expect(see(row(), { opencode: { ended: 10, failures: 3 }, docker: { ended: 40, failures: 1 } })).toMatchObject({
      state: 'open',
      side: 'opencode',
      trips: 1,
    })
    expect(see(row(), { docker: { ended: 10, failures: 10 } })).toMatchObject({ state: 'open', side: 'docker' })
  })

  it('stays closed below the threshold, and with too few tasks', () => {
    expect(see(row(), { opencode: { ended: 100, failures: 29 } })).toBeNull()
    expect(see(row(), { opencode: { ended: 9, failures: 9 } })).toBeNull()
  })

  it('stays closed if both sides fail, because they share the cause', () => {
    expect(see(row(), { opencode: { ended: 20, failures: 20 }, docker: { ended: 20, failures: 8 } })).toBeNull()
    expect(see(row(), { opencode: { ended: 20, failures: 10 }, docker: { ended: 2, failures: 2 } })).toBeNull()
  })

  it('stays closed if no worker serves the other side', () => {
    expect(see(row(), { opencode: { ended: 20, failures: 20 } }, T0, (mode) => mode === 'opencode')).toBeNull()
  })
})

describe('open', () => {
  it('probes after a cooldown that doubles with every failed attempt', () => {
    expect(see(row(OPEN), {}, later(59_999))).toBeNull()
    expect(see(row(OPEN), {}, later(60_000))).toMatchObject({ state: 'half_open', side: 'opencode', allowed: 3 })
    expect(see(row({ ...OPEN, breaker_trips: 2 }), {}, later(119_999))).toBeNull()
    expect([1, 2, 3, 4, 5, 6, 60].map((trips) => cooldownOf(SETTINGS, trips) / 60_000)).toEqual([
      1, 2, 4, 8, 16, 16, 16,
    ])
  })
})

describe('half open', () => {
  it('opens again when the first probe fails', () => {
    expect(probe({}, { sent: 3, passed: 2, failed: 1 })).toMatchObject({ state: 'open', side: 'opencode', trips: 2 })
  })

  it('closes after enough successful probes, and resets the attempts', () => {
    expect(probe({}, { sent: 3, passed: 3 })).toMatchObject({ state: 'closed', side: null, trips: 0 })
  })

  it('waits for running probes, and replaces cancelled and lost ones', () => {
    expect(probe({ probes_sent: 3 }, { sent: 3, passed: 2 })).toBeNull()
    expect(probe({ probes_sent: 3 }, { sent: 2, passed: 1, cancelled: 1 })).toEqual({ kind: 'allow', allowed: 5 })
  })

  it('does not count a probe as lost while its task may still be written', () => {
    const claimed = { probes_sent: 3, probe_claimed_at: later(45_000) }
    expect(probe(claimed, { sent: 2, passed: 1 })).toBeNull()
    expect(probe(claimed, { sent: 2, passed: 1, cancelled: 1 })).toEqual({ kind: 'allow', allowed: 4 })
  })
})

// What the breaker observes of one side in one step.
const counts = fc.record({
  ended: fc.nat(200),
  bad: fc.nat(200),
  passed: fc.nat(4),
  failed: fc.nat(1),
  unserved: fc.boolean(),
})

describe('any sequence of observations', () => {
  it('makes only valid moves, never opens against the healthier side, and probes within a bounded time', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(counts, counts, fc.integer({ min: 0, max: 90_000 })), { maxLength: 60 }),
        (steps) => {
          let now = T0.getTime()
          let state = row()
          for (const [one, two, ms] of steps) {
            now += ms
            const sides = new Map<Mode, SideOutcome>([
              ['opencode', { ended: one.ended, failures: Math.min(one.ended, one.bad) }],
              ['docker', { ended: two.ended, failures: Math.min(two.ended, two.bad) }],
            ])
            const { passed, failed } = one
            const probes = { sent: passed + failed, passed, failed, cancelled: 0 }
            const isServed = (mode: Mode) => !(mode === 'opencode' ? one : two).unserved
            const move = nextBreakerMove(state, SETTINGS, { sides, probes, now: new Date(now), isServed })
            const waited = now - state.breaker_since.getTime()
            if (state.breaker_state === 'open' && waited >= cooldownOf(SETTINGS, 60)) expect(move).not.toBeNull()
            if (move?.kind !== 'turn') continue
            expect([`${state.breaker_state} ${move.state}`]).toContainEqual(
              expect.stringMatching(/^(closed open|open half_open|half_open closed|half_open open)$/),
            )
            expect(move.side === null).toBe(move.state === 'closed')
            if (state.breaker_state === 'closed' && move.side !== null) {
              const other: Mode = move.side === 'opencode' ? 'docker' : 'opencode'
              const share = (mode: Mode) => {
                const { ended, failures } = sides.get(mode) ?? { ended: 0, failures: 0 }
                return ended === 0 ? 0 : failures / ended
              }
              expect(isServed(other)).toBe(true)
              expect(share(move.side)).toBeGreaterThan(share(other))
            }
            state = row({
              breaker_state: move.state,
              breaker_side: move.side,
              breaker_since: new Date(now),
              breaker_trips: move.trips,
              probes_allowed: move.allowed,
            })
          }
        },
      ),
    )
  })
})
