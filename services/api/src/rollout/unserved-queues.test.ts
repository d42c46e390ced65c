import type { QueueName } from '@switchyard/contracts'
import { expect, it } from 'vitest'
import { UnservedQueues } from './unserved-queues.ts'

const createObserver = () => {
  const queues = new UnservedQueues()
  return (live: Partial<Record<QueueName, number>>, at: number) => {
    const { unserved, starting } = queues.observe(new Map(Object.entries(live) as [QueueName, number][]), at)
    return { unserved: [...unserved], starting: [...starting] }
  }
}

it('reports a queue as unserved 10 s after its last worker, and at once if other workers were live first', () => {
  const observe = createObserver()
  expect(observe({ blue: 1 }, 0)).toEqual({ unserved: ['green', 'docker'], starting: [] })
  expect(observe({ docker: 2 }, 10_000)).toEqual({ unserved: ['green'], starting: [] })
  expect(observe({ docker: 2 }, 10_001)).toEqual({ unserved: ['blue', 'green'], starting: [] })
  expect(observe({ blue: 1 }, 20_000)).toEqual({ unserved: ['green'], starting: [] })
})

it('waits a minute for the first server while a Docker worker is live', () => {
  const observe = createObserver()
  expect(observe({ docker: 1 }, 5)).toEqual({ unserved: [], starting: ['blue', 'green'] })
  expect(observe({ docker: 1 }, 60_005)).toEqual({ unserved: [], starting: ['blue', 'green'] })
  expect(observe({ docker: 1 }, 60_006)).toEqual({ unserved: ['blue', 'green'], starting: [] })
})

it('waits a minute for Docker when no worker was live at first, and 10 s after the first worker', () => {
  const observe = createObserver()
  expect(observe({}, 5)).toEqual({ unserved: [], starting: ['blue', 'green', 'docker'] })
  expect(observe({}, 60_005)).toEqual({ unserved: [], starting: ['blue', 'green', 'docker'] })
  expect(observe({}, 60_006)).toEqual({ unserved: ['blue', 'green', 'docker'], starting: [] })
  expect(observe({ blue: 1 }, 70_000)).toEqual({ unserved: ['green'], starting: ['docker'] })
  expect(observe({ blue: 1 }, 80_000)).toEqual({ unserved: ['green'], starting: ['docker'] })
  expect(observe({ blue: 1 }, 80_001)).toEqual({ unserved: ['green', 'docker'], starting: [] })
})
