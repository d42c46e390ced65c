import { afterEach, describe, expect, it } from 'vitest'
import type { QueueConnection } from './backend.ts'
import { silent, task } from './fakes.fixture.ts'
import { bullmqNameOf, queueJobOf, TaskQueue } from './task-queue.ts'

describe('bullmqNameOf', () => {
  it('gives each pool and mode a queue of its own', () => {
    expect(bullmqNameOf('blue')).toBe('tasks')
    expect(bullmqNameOf('green')).toBe('tasks-green')
    expect(bullmqNameOf('docker')).toBe('tasks-docker')
  })
})

describe('queueJobOf', () => {
  it('reads the id of a task that no worker has taken', () => {
    expect(queueJobOf('task_01HX')).toEqual({ id: 'task_01HX', isNew: true })
  })

  it('reads the id of a task that a worker has taken before', () => {
    expect(queueJobOf('task_01HX-2')).toEqual({ id: 'task_01HX', isNew: false })
  })
})

describe.each([
  ['Redis', { redisUrl: 'redis://127.0.0.1:1' }],
  ['PostgreSQL', { postgresUrl: 'postgres://127.0.0.1:1/none' }],
] satisfies [string, QueueConnection][])('the task queue on %s without a server', (_, connection) => {
  const queues: TaskQueue[] = []
  afterEach(async () => {
    // Closing waits for a connection that never comes.
    for (const queue of queues.splice(0)) queue.close().catch(() => {})
  })

  it('reports queue_unavailable within the time limit of a call', async () => {
    const queue = new TaskQueue(connection, silent)
    queues.push(queue)
    const calls = [queue.add(task('1')), queue.addAll([task('1')]), queue.depth(), queue.ping()]
    const startedAt = performance.now()
    for (const result of await Promise.allSettled(calls))
      expect(result).toMatchObject({ status: 'rejected', reason: { code: 'queue_unavailable', retryable: true } })
    expect(performance.now() - startedAt).toBeLessThan(5_000)
  })
})
