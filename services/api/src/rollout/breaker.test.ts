import type { Mode } from '@switchyard/contracts'
import type { BreakerMove, BreakerRow, SideOutcome } from '@switchyard/records'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type BreakerSettings, cooldownOf, judge } from './breaker.ts'

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
  ...over,
})
const OPEN = { breaker_state: 'open', breaker_side: 'opencode', breaker_trips: 1 } as const
const HALF_OPEN = { ...OPEN, breaker_state: 'half_open', probes_allowed: 3 } as const

const outcome = (over: Partial<SideOutcome>): SideOutcome => ({
  ended: 0,
  failures: 0,
  probes: 0,
  probesPassed: 0,
  probesFailed: 0,
  probesCancelled: 0,
  ...over,
})

const see = (
  before: BreakerRow,
  outcomes: Partial<Record<Mode, Partial<SideOutcome>>> = {},
  at: Date = T0,
  isServed: (mode: Mode) => boolean = () => true,
): BreakerMove | null =>
  judge(before, SETTINGS, {
    outcomes: new Map(Object.entries(outcomes).map(([mode, counts]) => [mode as Mode, outcome(counts)])),
    now: at,
    isServed,
  })

describe('closed', () => {
  it('opens where one side fails past the threshold and the other does well', () => {
    expect(see(row(), { opencode: { ended: 10, failures: 3 }, docker: { ended: 40, failures: 1 } })).toMatchObject({
      state: 'open',
      side: 'opencode',
      trips: 1,
    })
    expect(see(row(), { docker: { ended: 10, failures: 10 } })).toMatchObject({ state: 'open', side: 'docker' })
  })

  it('stays closed below the threshold, and while there are too few tasks to tell', () => {
    expect(see(row(), { opencode: { ended: 100, failures: 29 } })).toBeNull()
    expect(see(row(), { opencode: { ended: 9, failures: 9 } })).toBeNull()
  })

  it('stays closed where both sides fail: the cause is shared', () => {
    expect(see(row(), { opencode: { ended: 20, failures: 20 }, docker: { ended: 20, failures: 8 } })).toBeNull()
    expect(see(row(), { opencode: { ended: 20, failures: 10 }, docker: { ended: 2, failures: 2 } })).toBeNull()
  })

  it('stays closed where nobody serves the other side', () => {
    expect(see(row(), { opencode: { ended: 20, failures: 20 } }, T0, (mode) => mode === 'opencode')).toBeNull()
  })
})

describe('open', () => {
  it('probes after its cooldown, which doubles with every attempt that failed', () => {
    expect(see(row(OPEN), {}, later(59_999))).toBeNull()
    expect(see(row(OPEN), {}, later(60_000))).toMatchObject({ state: 'half_open', side: 'opencode', allowed: 3 })
    expect(see(row({ ...OPEN, breaker_trips: 2 }), {}, later(119_999))).toBeNull()
    expect([1, 2, 3, 4, 5, 6, 60].map((trips) => cooldownOf(SETTINGS, trips) / 60_000)).toEqual([
      1, 2, 4, 8, 16, 16, 16,
    ])
  })
})

describe('half open', () => {
  it('opens again at the first probe that fails', () => {
    expect(see(row(HALF_OPEN), { opencode: { probes: 3, probesPassed: 2, probesFailed: 1 } })).toMatchObject({
      state: 'open',
      side: 'opencode',
      trips: 2,
    })
  })

  it('closes once enough have passed, and forgets the attempts', () => {
    expect(see(row(HALF_OPEN), { opencode: { probes: 3, probesPassed: 3 } })).toMatchObject({
      state: 'closed',
      side: null,
      trips: 0,
    })
  })

  it('waits for those that run, and allows others for those that were cancelled or never came to be', () => {
    expect(see(row({ ...HALF_OPEN, probes_sent: 3 }), { opencode: { probes: 3, probesPassed: 2 } })).toBeNull()
    expect(
      see(row({ ...HALF_OPEN, probes_sent: 3 }), { opencode: { probes: 2, probesPassed: 1, probesCancelled: 1 } }),
    ).toEqual({ kind: 'allow', allowed: 5 })
  })
})

// A world in which a side is ill or well, seen by the breaker once a second.
const counts = fc.record({
  ended: fc.nat(200),
  bad: fc.nat(200),
  passed: fc.nat(4),
  failed: fc.nat(1),
  gone: fc.boolean(),
})

describe('whatever happens', () => {
  it('moves only along its edges, never opens against a side that does better, and begins to probe in bounded time', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(counts, counts, fc.integer({ min: 0, max: 90_000 })), { maxLength: 60 }),
        (steps) => {
          let now = T0.getTime()
          let state = row()
          for (const [one, two, ms] of steps) {
            now += ms
            const outcomes = new Map<Mode, SideOutcome>(
              (
                [
                  ['opencode', one],
                  ['docker', two],
                ] as const
              ).map(([mode, { ended, bad, passed, failed }]) => [
                mode,
                outcome({
                  ended,
                  failures: Math.min(ended, bad),
                  probes: passed + failed,
                  probesPassed: passed,
                  probesFailed: failed,
                }),
              ]),
            )
            const isServed = (mode: Mode) => !(mode === 'opencode' ? one : two).gone
            const move = judge(state, SETTINGS, { outcomes, now: new Date(now), isServed })
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
                const { ended, failures } = outcomes.get(mode) ?? outcome({})
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
