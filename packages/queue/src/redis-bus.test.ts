import { SwitchyardError } from '@switchyard/contracts'
import { describe, expect, it, vi } from 'vitest'
import { silent, taskId, useClosing } from './fakes.fixture.ts'
import { RedisBus } from './redis-bus.ts'

const opened = useClosing()

describe('RedisBus without a server', () => {
  const unreachable = 'redis://127.0.0.1:1'

  it('drops signals and returns subscriptions at once', async () => {
    const bus = opened(new RedisBus(unreachable, silent))
    bus.publishTask(taskId('1'), { kind: 'changed' })
    bus.publishCommand({ kind: 'control', task_id: taskId('1') })
    bus.publishHint('calls')
    const unsubscribe = await bus.onTask(taskId('1'), vi.fn())
    unsubscribe()
  })

  it('reports queue_unavailable when it is pinged', async () => {
    const bus = opened(new RedisBus(unreachable, silent))
    const error = await bus.ping().catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(SwitchyardError)
    expect(error).toMatchObject({ code: 'queue_unavailable', message: expect.stringContaining('Redis is unreachable') })
  })
})
