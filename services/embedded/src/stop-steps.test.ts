import { describe, expect, it, vi } from 'vitest'
import { createStopSteps } from './stop-steps.ts'

describe('createStopSteps', () => {
  it('stops the last started part first, and goes on past a part that fails or hangs', async () => {
    const warn = vi.fn()
    const steps = createStopSteps({ warn })
    const stopped: string[] = []
    steps.add('first', 1_000, () => void stopped.push('first'))
    steps.add('hangs', 10, () => new Promise(() => {}))
    steps.add('fails', 1_000, () => {
      throw new Error('no')
    })
    steps.add('last', 1_000, async () => void stopped.push('last'))
    await Promise.all([steps.run(), steps.run()])
    expect(stopped).toEqual(['last', 'first'])
    expect(warn.mock.calls.map(([facts]) => facts.part)).toEqual(['fails', 'hangs'])
  })
})
