import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { canMove, OPEN_STATUSES, sourcesOf } from './lifecycle.ts'
import { isTerminal, STATUSES, TERMINAL_STATUSES } from './task.ts'

const anyStatus = fc.constantFrom(...STATUSES)

describe('the life of a task', () => {
  it('never leaves a terminal status', () => {
    fc.assert(
      fc.property(fc.constantFrom(...TERMINAL_STATUSES), anyStatus, (from, to) => {
        expect(canMove(from, to)).toBe(false)
      }),
    )
  })

  it('can be cancelled, timed out and failed from every open status', () => {
    for (const status of OPEN_STATUSES)
      for (const end of ['cancelled', 'timeout', 'failed'] as const) expect(canMove(status, end)).toBe(true)
  })

  it('ends, whatever order of moves is tried: any walk that is taken far enough can still reach an end', () => {
    fc.assert(
      fc.property(fc.array(anyStatus, { maxLength: 50 }), (wishes) => {
        let status: (typeof STATUSES)[number] = 'queued'
        for (const wish of wishes) if (canMove(status, wish)) status = wish
        expect(isTerminal(status) || canMove(status, 'cancelled')).toBe(true)
      }),
    )
  })

  it('completes only what has run', () => {
    expect(sourcesOf('completed')).toEqual(['running', 'input_required'])
  })
})
