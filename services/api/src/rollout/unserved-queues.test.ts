import type { QueueName } from '@switchyard/contracts'
import { expect, it } from 'vitest'
import { UnservedQueues } from './unserved-queues.ts'

const watch = () => {
  const queues = new UnservedQueues()
  return (live: Partial<Record<QueueName, number>>, at: number) => {
    const { gone, awaited } = queues.see(new Map(Object.entries(live) as [QueueName, number][]), at)
    return { gone: [...gone], awaited: [...awaited] }
  }
}

it('takes a queue for gone 10 s after its last worker, and one that did not come with the others', () => {
  const see = watch()
  expect(see({ blue: 1 }, 0)).toEqual({ gone: ['green', 'docker'], awaited: [] })
  expect(see({ docker: 2 }, 10_000)).toEqual({ gone: ['green'], awaited: [] })
  expect(see({ docker: 2 }, 10_001)).toEqual({ gone: ['blue', 'green'], awaited: [] })
  expect(see({ blue: 1 }, 20_000)).toEqual({ gone: ['green'], awaited: [] })
})

it('waits a minute for the first server where Docker is there', () => {
  const see = watch()
  expect(see({ docker: 1 }, 5)).toEqual({ gone: [], awaited: ['blue', 'green'] })
  expect(see({ docker: 1 }, 60_005)).toEqual({ gone: [], awaited: ['blue', 'green'] })
  expect(see({ docker: 1 }, 60_006)).toEqual({ gone: ['blue', 'green'], awaited: [] })
})

it('waits for Docker where nobody was there at first: a minute, and 10 s from the first that came', () => {
  const see = watch()
  expect(see({}, 5)).toEqual({ gone: [], awaited: ['blue', 'green', 'docker'] })
  expect(see({}, 60_005)).toEqual({ gone: [], awaited: ['blue', 'green', 'docker'] })
  expect(see({}, 60_006)).toEqual({ gone: ['blue', 'green', 'docker'], awaited: [] })
  expect(see({ blue: 1 }, 70_000)).toEqual({ gone: ['green'], awaited: ['docker'] })
  expect(see({ blue: 1 }, 80_000)).toEqual({ gone: ['green'], awaited: ['docker'] })
  expect(see({ blue: 1 }, 80_001)).toEqual({ gone: ['green', 'docker'], awaited: [] })
})
