import { describe, expect, it } from 'vitest'
import { Interrupt, type Reason } from './interrupt.ts'

const raised = (...reasons: readonly Reason[]): Reason | null => {
  const interrupt = new Interrupt()
  for (const reason of reasons) interrupt.raise(reason)
  return interrupt.reason
}

describe('an interrupt', () => {
  it.each(['cancel', 'deadline', 'handover', 'stuck'] as const)('by a pause gives way to %s', (reason) => {
    expect(raised('pause', reason)).toBe(reason)
    expect(raised(reason, 'pause')).toBe(reason)
  })

  it('has the reason that came first, but for a pause', () => {
    expect(raised('deadline', 'cancel')).toBe('deadline')
    expect(raised('pause', 'handover', 'cancel')).toBe('handover')
  })
})
