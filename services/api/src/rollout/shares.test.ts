import { LANES, type Mode } from '@switchyard/contracts'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { decide, type Rules } from './decide.ts'
import { shareOf } from './shares.ts'
import { warningsOf } from './warnings.ts'

const NAMES = Array.from({ length: 1_000 }, (_, n) => `agent-${n}`)

const anyRules: fc.Arbitrary<Rules> = fc
  .record({
    serverEnabled: fc.boolean(),
    percent: fc.integer({ min: 0, max: 100 }),
    green: fc.integer({ min: 0, max: 100 }),
    fixed: fc.constantFrom(null, 'percent' as const, 'opencode' as const, 'docker' as const),
    breaker: fc.oneof(
      fc.constant({ state: 'closed' as const, side: null }),
      fc.record({
        state: fc.constantFrom('open' as const, 'half_open' as const),
        side: fc.constantFrom<Mode>('opencode', 'docker'),
      }),
    ),
    gone: fc.subarray([...LANES]),
    awaited: fc.subarray([...LANES]),
  })
  .map(({ green, gone, awaited, ...rest }) => ({
    ...rest,
    pools: { blue: 100 - green, green },
    gone: new Set(gone),
    awaited: new Set(awaited.filter((lane) => !gone.includes(lane))),
  }))

it('says of every lane what the decisions come to, whatever the rules', () => {
  fc.assert(
    fc.property(anyRules, (rules) => {
      const lanes = NAMES.map((subject) => decide(rules, { subject, asked: undefined })).map(({ mode, pool }) =>
        mode === 'docker' ? mode : pool,
      )
      for (const lane of LANES) {
        const found = (lanes.filter((each) => each === lane).length * 100) / NAMES.length
        expect(Math.abs(found - shareOf(lane, rules)), lane).toBeLessThan(6)
      }
    }),
    { numRuns: 60 },
  )
})

it('warns of nothing exactly where every lane with a share is served and the breaker is closed or held', () => {
  fc.assert(
    fc.property(anyRules, (rules) => {
      const wanted = LANES.filter((lane) => shareOf(lane, { ...rules, gone: new Set() }) > 0)
      const isCalm = rules.breaker.state === 'closed' || rules.fixed !== null
      if (isCalm && wanted.every((lane) => !rules.gone.has(lane))) expect([...warningsOf(rules)]).toEqual([])
      if (isCalm && rules.serverEnabled && wanted.some((lane) => rules.gone.has(lane)))
        expect([...warningsOf(rules)]).not.toEqual([])
    }),
  )
})
