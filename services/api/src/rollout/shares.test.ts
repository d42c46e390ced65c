import { type Mode, QUEUE_NAMES } from '@switchyard/contracts'
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
    unserved: fc.subarray([...QUEUE_NAMES]),
    starting: fc.subarray([...QUEUE_NAMES]),
  })
  .map(({ green, unserved, starting, ...rest }) => ({
    ...rest,
    pools: { blue: 100 - green, green },
    unserved: new Set(unserved),
    starting: new Set(starting.filter((queueName) => !unserved.includes(queueName))),
  }))

it('matches the decisions for every queue under any rules', () => {
  fc.assert(
    fc.property(anyRules, (rules) => {
      const queueNames = NAMES.map((subject) => decide(rules, { subject, requestedMode: undefined })).map(
        ({ mode, pool }) => (mode === 'docker' ? mode : pool),
      )
      for (const queueName of QUEUE_NAMES) {
        const found = (queueNames.filter((each) => each === queueName).length * 100) / NAMES.length
        expect(Math.abs(found - shareOf(queueName, rules)), queueName).toBeLessThan(6)
      }
    }),
    { numRuns: 60 },
  )
})

it('yields no warning exactly if every queue with a share is served and the breaker has no effect', () => {
  fc.assert(
    fc.property(anyRules, (rules) => {
      const wanted = QUEUE_NAMES.filter((queueName) => shareOf(queueName, { ...rules, unserved: new Set() }) > 0)
      const isCalm = rules.breaker.state === 'closed' || rules.fixed !== null
      if (isCalm && wanted.every((queueName) => !rules.unserved.has(queueName)))
        expect([...warningsOf(rules)]).toEqual([])
      if (isCalm && rules.serverEnabled && wanted.some((queueName) => rules.unserved.has(queueName)))
        expect([...warningsOf(rules)]).not.toEqual([])
    }),
  )
})
