import { describe, expect, it, vi } from 'vitest'
import { type BackendName, useBackend } from './backends.fixture.ts'
import { silent, task, taskId, useClosing } from './fakes.fixture.ts'
import { type QueueJob, TaskQueue } from './task-queue.ts'
import { type ProcessTask, TaskWorker, type TaskWorkerOptions } from './task-worker.ts'

const DONE = { againInMs: null }

describe.each(['Redis', 'PostgreSQL'] satisfies BackendName[])('the task queue on %s', (backend) => {
  const connection = useBackend(backend)
  const opened = useClosing()

  const openQueue = async (): Promise<TaskQueue> => {
    const queue = opened(new TaskQueue(connection(), silent))
    await queue.ready()
    return queue
  }

  const startWorker = async (
    process: ProcessTask,
    options: Partial<Pick<TaskWorkerOptions, 'queueName' | 'concurrency'>> = {},
  ): Promise<TaskWorker> => {
    const worker = opened(
      new TaskWorker({
        connection: connection(),
        queueName: 'blue',
        concurrency: 1,
        process,
        logger: silent,
        ...options,
      }),
    )
    await worker.start()
    return worker
  }

  /** A worker that records the jobs it gets. */
  const recordJobs = async (options?: Parameters<typeof startWorker>[1]): Promise<readonly QueueJob[]> => {
    const jobs: QueueJob[] = []
    await startWorker(async (job) => {
      jobs.push(job)
      return DONE
    }, options)
    return jobs
  }

  const idsOf = (jobs: readonly QueueJob[]): readonly string[] => jobs.map(({ id }) => id)

  it('dispatches by priority, and tasks of the same priority in the order they were added', async () => {
    const queue = await openQueue()
    await queue.add(task('normal_1'))
    await queue.addAll([task('last', { priority: 10 }), task('first', { priority: 0 }), task('normal_2')])
    const jobs = await recordJobs()
    await expect.poll(() => idsOf(jobs)).toEqual(['first', 'normal_1', 'normal_2', 'last'].map(taskId))
  })

  it('dispatches a task that is added twice once', async () => {
    const queue = await openQueue()
    await queue.add(task('1'))
    await queue.add(task('1'))
    await queue.addAll([task('1'), task('2')])
    expect(await queue.depth()).toEqual({ waiting: 2, active: 0 })
    const jobs = await recordJobs()
    await expect.poll(() => queue.depth()).toEqual({ waiting: 0, active: 0 })
    expect(idsOf(jobs)).toEqual(['1', '2'].map(taskId))
  })

  it('adds a task again once its job is done', async () => {
    const queue = await openQueue()
    const jobs = await recordJobs()
    await queue.add(task('1'))
    await expect.poll(() => jobs.length).toBe(1)
    await expect.poll(async () => (await queue.depth()).active).toBe(0)
    await queue.add(task('1'))
    await expect.poll(() => idsOf(jobs)).toEqual(['1', '1'].map(taskId))
  })

  it('adds a task that a worker gave back while its first job still runs', async () => {
    const queue = await openQueue()
    const jobs: QueueJob[] = []
    const release = Promise.withResolvers<void>()
    await startWorker(
      async (job) => {
        jobs.push(job)
        await release.promise
        return DONE
      },
      { concurrency: 2 },
    )
    await queue.add(task('1'))
    await expect.poll(() => jobs.length).toBe(1)
    await queue.add(task('1', { generation: 1 }))
    await expect
      .poll(() => jobs)
      .toEqual([
        { id: taskId('1'), isNew: true },
        { id: taskId('1'), isNew: false },
      ])
    release.resolve()
  })

  it('dispatches a task only to workers of its pool or mode', async () => {
    const queue = await openQueue()
    await queue.addAll([
      task('blue'),
      task('no_pool', { pool: null }),
      task('green', { pool: 'green' }),
      task('docker', { mode: 'docker', pool: null }),
    ])
    expect(await queue.depth()).toEqual({ waiting: 4, active: 0 })
    const blue = await recordJobs()
    const green = await recordJobs({ queueName: 'green' })
    const docker = await recordJobs({ queueName: 'docker' })
    await expect.poll(() => idsOf(blue)).toEqual(['blue', 'no_pool'].map(taskId))
    await expect.poll(() => idsOf(green)).toEqual(['green'].map(taskId))
    await expect.poll(() => idsOf(docker)).toEqual(['docker'].map(taskId))
  })

  it('runs a job again after the delay that the worker asks for, under the same id', async () => {
    const queue = await openQueue()
    const startedAt: number[] = []
    await startWorker(async ({ id }) => {
      expect(id).toBe(taskId('1'))
      startedAt.push(performance.now())
      return startedAt.length === 1 ? { againInMs: 400 } : DONE
    })
    await queue.add(task('1'))
    await expect.poll(() => startedAt.length).toBe(2)
    const [first = 0, second = 0] = startedAt
    expect(second - first).toBeGreaterThan(390)
    await expect.poll(() => queue.depth()).toEqual({ waiting: 0, active: 0 })
  })

  it('runs other jobs while one is delayed, and adds no second job for the delayed task', async () => {
    const queue = await openQueue()
    const ids: string[] = []
    await startWorker(async ({ id }) => {
      ids.push(id)
      return id === taskId('held') ? { againInMs: 60_000 } : DONE
    })
    await queue.add(task('held', { priority: 0 }))
    await queue.add(task('other'))
    await expect.poll(() => ids).toEqual(['held', 'other'].map(taskId))
    await expect.poll(() => queue.depth()).toEqual({ waiting: 1, active: 0 })
    await queue.add(task('held', { priority: 0 }))
    expect(await queue.depth()).toEqual({ waiting: 1, active: 0 })
    expect(ids).toHaveLength(2)
  })

  it('processes as many jobs at once as the concurrency allows, and no more', async () => {
    const queue = await openQueue()
    const running = new Set<string>()
    let most = 0
    const gate = Promise.withResolvers<void>()
    await startWorker(
      async ({ id }) => {
        running.add(id)
        most = Math.max(most, running.size)
        await gate.promise
        running.delete(id)
        return DONE
      },
      { concurrency: 3 },
    )
    await queue.addAll(Array.from({ length: 9 }, (_, index) => task(`${index}`)))
    await expect.poll(() => running.size).toBe(3)
    expect(await queue.depth()).toEqual({ waiting: 6, active: 3 })
    gate.resolve()
    await expect.poll(() => queue.depth()).toEqual({ waiting: 0, active: 0 })
    expect(most).toBe(3)
  })

  it('gives each job to one worker', async () => {
    const queue = await openQueue()
    const ids: string[] = []
    const process: ProcessTask = async ({ id }) => {
      ids.push(id)
      return DONE
    }
    for (let count = 0; count < 3; count++) await startWorker(process, { concurrency: 2 })
    const tasks = Array.from({ length: 20 }, (_, index) => task(`${index}`))
    await queue.addAll(tasks)
    await expect.poll(() => ids.length).toBe(tasks.length)
    await expect.poll(() => queue.depth()).toEqual({ waiting: 0, active: 0 })
    expect(new Set(ids)).toEqual(new Set(tasks.map(({ id }) => id)))
    expect(ids).toHaveLength(tasks.length)
  })

  it('removes a job whose processing failed, so that the sweeper can add the task again', async () => {
    const queue = await openQueue()
    let calls = 0
    await startWorker(async () => {
      calls += 1
      if (calls === 1) throw new Error('out of memory')
      return DONE
    })
    await queue.add(task('1'))
    await expect.poll(() => calls).toBe(1)
    await expect.poll(() => queue.depth()).toEqual({ waiting: 0, active: 0 })
    await queue.add(task('1'))
    await expect.poll(() => calls).toBe(2)
  })

  it('fetches no jobs while it is paused', async () => {
    const queue = await openQueue()
    const ids: string[] = []
    const worker = await startWorker(async ({ id }) => {
      ids.push(id)
      return DONE
    })
    await worker.pause()
    await queue.add(task('1'))
    const marker = await recordJobs({ queueName: 'green' })
    await queue.add(task('2', { pool: 'green' }))
    await expect.poll(() => marker.length).toBe(1)
    expect(ids).toEqual([])
    worker.resume()
    await expect.poll(() => ids).toEqual(['1'].map(taskId))
  })

  it('waits for running jobs when it closes', async () => {
    const queue = await openQueue()
    const started = Promise.withResolvers<void>()
    const gate = Promise.withResolvers<void>()
    const worker = new TaskWorker({
      connection: connection(),
      queueName: 'blue',
      concurrency: 1,
      process: async () => {
        started.resolve()
        await gate.promise
        return DONE
      },
      logger: silent,
    })
    await worker.start()
    await queue.addAll([task('1'), task('2')])
    await started.promise
    const closed = vi.fn()
    const closing = worker.close().then(closed)
    expect(await queue.depth()).toEqual({ waiting: 1, active: 1 })
    expect(closed).not.toHaveBeenCalled()
    gate.resolve()
    await closing
    expect(await queue.depth()).toEqual({ waiting: 1, active: 0 })
  })

  it('answers a ping with the round-trip time', async () => {
    const queue = await openQueue()
    expect(await queue.ping()).toBeLessThan(2_000)
  })
})
