import { describe, expect, it } from 'vitest'
import { outcomeOfInterruption } from './server-deaths.ts'

describe('an interrupted turn', () => {
  const shared = { alone_since: null }
  const alone = { alone_since: new Date() }

  it('resumes after the first death of the server, and runs alone after the second', () => {
    expect(outcomeOfInterruption(shared, 1, true)).toBe('resume')
    expect(outcomeOfInterruption(shared, 2, true)).toBe('run_alone')
  })

  it('still has to run alone when a new owner finds it after the second death', () => {
    expect(outcomeOfInterruption(shared, 2, false)).toBe('run_alone')
  })

  it('has killed the server when it died while the task ran alone', () => {
    expect(outcomeOfInterruption(alone, 3, true)).toBe('server_killed')
    expect(outcomeOfInterruption(alone, 2, false)).toBe('resume')
  })
})
