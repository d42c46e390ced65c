import { type CallId, SwitchyardError, type TaskEvent } from '@switchyard/contracts'
import { startRedis, type TestRedis, whyNoRedis } from '@switchyard/testing'
import { Redis } from 'ioredis'
import { afterAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { silent, taskId, useClosing } from './backends.fixture.ts'
import type { Bus, TaskSignal } from './bus.ts'
import { createBus } from './index.ts'
import { LocalBus } from './local-bus.ts'
import { RedisBus } from './redis-bus.ts'

const event: TaskEvent = {
  seq: 1,
  task_id: taskId('1'),
  type: 'task_progress',
  timestamp: '2026-01-01T00:00:00.000Z',
  message: 'ran the tests',
  data: {},
}

let redis: TestRedis | undefined
const redisUrl = async (): Promise<string> => {
  redis ??= await startRedis()
  return redis.url
}
const missing = await whyNoRedis()
afterAll(async () => await redis?.stop())

const opened = useClosing()

/** Two ends of the same bus: two processes with Redis, two parts of one process without. */
const connect = async (kind: 'LocalBus' | 'RedisBus'): Promise<readonly [Bus, Bus]> => {
  if (kind === 'LocalBus') {
    const bus = opened(new LocalBus())
    return [bus, bus]
  }
  const url = await redisUrl()
  const buses = [opened(new RedisBus(url, silent)), opened(new RedisBus(url, silent))] as const
  for (const bus of buses) await connected(bus)
  return buses
}

const connected = async (bus: Bus): Promise<void> => {
  await expect
    .poll(() =>
      bus.ping().then(
        () => true,
        () => false,
      ),
    )
    .toBe(true)
  // The second connection, which subscribes, may be slower than the first.
  const hinted = vi.fn()
  const unsubscribe = await bus.onHint('rollout', hinted)
  await expect
    .poll(() => {
      bus.publishHint('rollout')
      return hinted.mock.calls.length
    })
    .toBeGreaterThan(0)
  unsubscribe()
}

describe.each(['LocalBus', 'RedisBus'] as const)('%s', (kind) => {
  beforeEach((context) => {
    if (kind === 'RedisBus' && missing) context.skip(missing)
  })

  it('delivers the signals of a task to its subscribers in order, and to no others', async () => {
    const [publisher, subscriber] = await connect(kind)
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
    const [publisher, subscriber] = await connect(kind)
    const workers = [vi.fn(), vi.fn()]
    for (const worker of workers) await subscriber.onCommand(worker)
    const command = { kind: 'reply', task_id: taskId('1') } as const
    publisher.publishCommand(command)
    for (const worker of workers) await expect.poll(() => worker.mock.calls).toEqual([[command]])
  })

  it('delivers hints by topic', async () => {
    const [publisher, subscriber] = await connect(kind)
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
    const [publisher, subscriber] = await connect(kind)
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
    const [publisher, subscriber] = await connect(kind)
    const unsubscribe = await subscriber.onTask(taskId('1'), vi.fn())
    unsubscribe()
    const listener = vi.fn()
    await subscriber.onTask(taskId('1'), listener)
    publisher.publishTask(taskId('1'), { kind: 'changed' })
    await expect.poll(() => listener.mock.calls.length).toBe(1)
  })

  it('answers a ping with the round-trip time', async () => {
    const [bus] = await connect(kind)
    const ms = await bus.ping()
    expect(ms).toBeGreaterThanOrEqual(0)
    expect(ms).toBeLessThan(2_000)
  })
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

describe('RedisBus', () => {
  beforeEach((context) => {
    if (missing) context.skip(missing)
  })

  /** Closes the connections of every client, as a restart of Redis does. */
  const disconnectAll = async (): Promise<void> => {
    const admin = new Redis(await redisUrl())
    await admin.call('CLIENT', 'KILL', 'TYPE', 'pubsub')
    await admin.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
    admin.disconnect()
  }

  it('subscribes again after a reconnect and then notifies onResume listeners', async () => {
    const [publisher, subscriber] = await connect('RedisBus')
    const listener = vi.fn()
    const resumed = vi.fn()
    const ignored = vi.fn()
    await subscriber.onTask(taskId('1'), listener)
    subscriber.onResume(resumed)
    const off = subscriber.onResume(ignored)
    off()
    await disconnectAll()
    await expect.poll(() => resumed.mock.calls.length).toBe(1)
    await expect
      .poll(() => {
        publisher.publishTask(taskId('1'), { kind: 'changed' })
        return listener.mock.calls.length
      })
      .toBeGreaterThan(0)
    expect(ignored).not.toHaveBeenCalled()
  })
})

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

describe('createBus', () => {
  it('uses Redis when it has a URL and one process otherwise', () => {
    expect(opened(createBus('redis://127.0.0.1:1', silent))).toBeInstanceOf(RedisBus)
    expect(createBus(undefined, silent)).toBeInstanceOf(LocalBus)
  })
})
