import { describe, expect, it } from 'vitest'
import { ProgressMonitor } from './progress-monitor.ts'

const createMonitor = () => {
  let now = 0
  const monitor = new ProgressMonitor(1_000, () => now)
  return {
    monitor,
    /** Returns what is due after so many more ms. */
    checkAfter: (ms: number) => {
      now += ms
      return monitor.check()
    },
  }
}

describe('ProgressMonitor', () => {
  it('nudges a turn that shows no sign of work, once, and declares it stuck after the same time again', () => {
    const { checkAfter } = createMonitor()
    expect(checkAfter(999)).toBe('working')
    expect(checkAfter(1)).toBe('nudge')
    expect(checkAfter(999)).toBe('working')
    expect(checkAfter(1)).toBe('stuck')
    expect(checkAfter(5_000)).toBe('stuck')
  })

  it('starts over with every sign of work', () => {
    const { monitor, checkAfter } = createMonitor()
    expect(checkAfter(1_000)).toBe('nudge')
    monitor.seen()
    expect(checkAfter(999)).toBe('working')
    expect(checkAfter(1)).toBe('nudge')
  })
})
