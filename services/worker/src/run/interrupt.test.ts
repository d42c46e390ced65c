import { describe, expect, it } from 'vitest'
import { Interrupt, Interrupted, type InterruptReason } from './interrupt.ts'

const raise = (...reasons: readonly InterruptReason[]): InterruptReason | null => {
  const interrupt = new Interrupt()
  for (const reason of reasons) interrupt.raise(reason)
  return interrupt.reason
}

describe('Interrupt', () => {
  it.each(['cancel', 'deadline', 'handover', 'stuck'] as const)(
    'replaces a pause by %s, and not the reverse',
    (reason) => {
      expect(raise('pause', reason)).toBe(reason)
      expect(raise(reason, 'pause')).toBe(reason)
    },
  )

  it('keeps the first reason that is not a pause', () => {
    expect(raise('deadline', 'cancel')).toBe('deadline')
    expect(raise('pause', 'handover', 'cancel')).toBe('handover')
  })

  it('throws and aborts its signal once a reason is raised', () => {
    const interrupt = new Interrupt()
    interrupt.check()
    interrupt.raise('cancel')
    expect(() => interrupt.check()).toThrow(Interrupted)
    expect(interrupt.signal.reason).toMatchObject({ reason: 'cancel' })
  })
})
