import { startRedis, type TestRedis, whyNoRedis } from '@switchyard/testing'
import { Redis } from 'ioredis'
import { afterAll, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Bus } from './bus.ts'
import { describeBus } from './bus-contract.fixture.ts'
import { silent, taskId, useClosing } from './fakes.fixture.ts'
import { RedisBus } from './redis-bus.ts'

let redis: TestRedis | undefined
const redisUrl = async (): Promise<string> => {
  redis ??= await startRedis()
  return redis.url
}
const missing = await whyNoRedis()
beforeEach((context) => {
  if (missing) context.skip(missing)
})
afterAll(async () => await redis?.stop())

const opened = useClosing()

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

/** Two buses on one Redis, like those of two processes. */
const connect = async (): Promise<readonly [Bus, Bus]> => {
  const url = await redisUrl()
  const buses = [opened(new RedisBus(url, silent)), opened(new RedisBus(url, silent))] as const
  for (const bus of buses) await connected(bus)
  return buses
}

describeBus('RedisBus', connect)

describe('RedisBus after a reconnect', () => {
  /** Closes the connections of every client, as a restart of Redis does. */
  const disconnectAll = async (): Promise<void> => {
    const admin = new Redis(await redisUrl())
    await admin.call('CLIENT', 'KILL', 'TYPE', 'pubsub')
    await admin.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
    admin.disconnect()
  }

  it('subscribes again after a reconnect and then notifies onResume listeners', async () => {
    const [publisher, subscriber] = await connect()
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
