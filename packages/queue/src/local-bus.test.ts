import { describe, expect, it, vi } from 'vitest'
import type { Bus } from './bus.ts'
import { describeBus } from './bus-contract.fixture.ts'
import { silent, taskId, useClosing } from './fakes.fixture.ts'
import { createBus } from './index.ts'
import { LocalBus } from './local-bus.ts'
import { RedisBus } from './redis-bus.ts'

const opened = useClosing()

describeBus('LocalBus', async () => {
  const bus = new LocalBus()
  return [bus, bus]
})

describe('LocalBus', () => {
  it('delivers before publish returns', async () => {
    const bus = new LocalBus()
    const listener = vi.fn()
    await bus.onTask(taskId('1'), listener)
    bus.publishTask(taskId('1'), { kind: 'changed' })
    expect(listener).toHaveBeenCalledTimes(1)
  })

  it('never reports a reconnect, because it cannot disconnect', () => {
    const bus: Bus = new LocalBus()
    const listener = vi.fn()
    const unsubscribe = bus.onResume(listener)
    bus.publishHint('rollout')
    unsubscribe()
    expect(listener).not.toHaveBeenCalled()
  })
})

describe('createBus', () => {
  it('uses Redis when it has a URL and one process otherwise', () => {
    expect(opened(createBus('redis://127.0.0.1:1', silent))).toBeInstanceOf(RedisBus)
    expect(createBus(undefined, silent)).toBeInstanceOf(LocalBus)
  })
})
