// What every bus must do, as tests.

import type { CallId, TaskEvent } from '@switchyard/contracts'
import { describe, expect, it, vi } from 'vitest'
import type { Bus, TaskSignal } from './bus.ts'
import { taskId } from './fakes.fixture.ts'

const event: TaskEvent = {
  seq: 1,
  task_id: taskId('1'),
  type: 'task_progress',
  timestamp: '2026-01-01T00:00:00.000Z',
  message: 'ran the tests',
  data: {},
}

/** @param connect - returns two ends of the same bus; signals published on the first arrive at the second */
export const describeBus = (name: string, connect: () => Promise<readonly [Bus, Bus]>): void => {
  describe(name, () => {
    it('delivers the signals of a task to its subscribers in order, and to no others', async () => {
      const [publisher, subscriber] = await connect()
      const own: TaskSignal[] = []
      const other = vi.fn()
      await subscriber.onTask(taskId('1'), (signal) => own.push(signal))
      await subscriber.onTask(taskId('2'), other)
      const signals: readonly TaskSignal[] = [
        { kind: 'events', events: [event] },
        { kind: 'delta', delta: { task_id: taskId('1'), session_id: 's', part_id: 'p', field: 'text', delta: 'hel' } },
        { kind: 'changed' },
      ]
      for (const signal of signals) publisher.publishTask(taskId('1'), signal)
      await expect.poll(() => own).toEqual(signals)
      expect(other).not.toHaveBeenCalled()
    })

    it('delivers commands to every worker', async () => {
      const [publisher, subscriber] = await connect()
      const workers = [vi.fn(), vi.fn()]
      for (const worker of workers) await subscriber.onCommand(worker)
      const command = { kind: 'reply', task_id: taskId('1') } as const
      publisher.publishCommand(command)
      for (const worker of workers) await expect.poll(() => worker.mock.calls).toEqual([[command]])
    })

    it('delivers hints by topic', async () => {
      const [publisher, subscriber] = await connect()
      const answered = vi.fn()
      const rollout = vi.fn()
      await subscriber.onHint(`answer:${'call_1' as CallId}`, answered)
      await subscriber.onHint('session:ses_1', rollout)
      publisher.publishHint(`answer:${'call_1' as CallId}`)
      publisher.publishHint('calls')
      await expect.poll(() => answered.mock.calls.length).toBe(1)
      expect(rollout).not.toHaveBeenCalled()
    })

    it('delivers nothing after the subscriber unsubscribes, and keeps other subscriptions to the same task', async () => {
      const [publisher, subscriber] = await connect()
      const first = vi.fn()
      const second = vi.fn()
      const unsubscribe = await subscriber.onTask(taskId('1'), first)
      await subscriber.onTask(taskId('1'), second)
      unsubscribe()
      publisher.publishTask(taskId('1'), { kind: 'changed' })
      await expect.poll(() => second.mock.calls.length).toBe(1)
      expect(first).not.toHaveBeenCalled()
    })

    it('delivers again after the last subscriber unsubscribed and another one subscribed', async () => {
      const [publisher, subscriber] = await connect()
      const unsubscribe = await subscriber.onTask(taskId('1'), vi.fn())
      unsubscribe()
      const listener = vi.fn()
      await subscriber.onTask(taskId('1'), listener)
      publisher.publishTask(taskId('1'), { kind: 'changed' })
      await expect.poll(() => listener.mock.calls.length).toBe(1)
    })

    it('answers a ping with the round-trip time', async () => {
      const [bus] = await connect()
      const ms = await bus.ping()
      expect(ms).toBeGreaterThanOrEqual(0)
      expect(ms).toBeLessThan(2_000)
    })
  })
}
