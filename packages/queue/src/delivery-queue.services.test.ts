import { describe, expect, it } from 'vitest'
import { type BackendName, useBackend } from './backends.fixture.ts'
import { DeliveryQueue, DeliveryWorker } from './delivery-queue.ts'
import { silent, useClosing } from './fakes.fixture.ts'

describe.each(['Redis', 'PostgreSQL'] satisfies BackendName[])('the delivery queue on %s', (backend) => {
  const connection = useBackend(backend)
  const opened = useClosing()

  const openQueue = async (): Promise<DeliveryQueue> => {
    const queue = opened(new DeliveryQueue(connection(), silent))
    await queue.ready()
    return queue
  }

  const startWorker = async (drain: (destination: string) => Promise<void>, concurrency = 4): Promise<void> => {
    await opened(new DeliveryWorker({ connection: connection(), concurrency, drain, logger: silent })).start()
  }

  it('passes the name of the destination to the worker, whatever characters it has', async () => {
    const destinations = ['matrix', 'callback:key 1:https://example.com:8443', 'letta:agent-ä/√', 'x'.repeat(300)]
    const queue = await openQueue()
    await queue.addAll(destinations)
    const drained: string[] = []
    await startWorker(async (destination) => {
      drained.push(destination)
    })
    await expect.poll(() => drained.toSorted()).toEqual(destinations.toSorted())
  })

  it('has one job for a destination at a time', async () => {
    const queue = await openQueue()
    const gate = Promise.withResolvers<void>()
    const drained: string[] = []
    await startWorker(async (destination) => {
      drained.push(destination)
      await gate.promise
    })
    await queue.addAll(['matrix', 'matrix'])
    await expect.poll(() => drained.length).toBe(1)
    await queue.addAll(['matrix', 'letta:1'])
    await expect.poll(() => drained).toEqual(['matrix', 'letta:1'])
    gate.resolve()
    await expect
      .poll(async () => {
        await queue.addAll(['matrix'])
        return drained.length
      })
      .toBe(3)
  })

  it('processes as many destinations at once as the concurrency allows', async () => {
    const queue = await openQueue()
    const gate = Promise.withResolvers<void>()
    const running = new Set<string>()
    let most = 0
    let done = 0
    await startWorker(async (destination) => {
      running.add(destination)
      most = Math.max(most, running.size)
      await gate.promise
      running.delete(destination)
      done += 1
    }, 2)
    await queue.addAll(['a', 'b', 'c', 'd', 'e'])
    await expect.poll(() => running.size).toBe(2)
    gate.resolve()
    await expect.poll(() => done).toBe(5)
    expect(most).toBe(2)
  })

  it('removes a job that failed, so that the destination can be added again', async () => {
    const queue = await openQueue()
    let calls = 0
    await startWorker(async () => {
      calls += 1
      if (calls === 1) throw new Error('database unavailable')
    })
    await queue.addAll(['matrix'])
    await expect.poll(() => calls).toBe(1)
    await expect
      .poll(async () => {
        await queue.addAll(['matrix'])
        return calls
      })
      .toBeGreaterThan(1)
  })
})
