import { expect, it } from 'vitest'
import { blockValue } from './block-value.ts'
import { at, event, task } from './task.fixture.ts'

const events = Array.from({ length: 30 }, (_, n) => ({
  ...event('task_progress'),
  seq: n + 1,
  message: `step ${n + 1}`,
}))

it('contains status, result and the last events, without file contents', () => {
  const value = JSON.parse(blockValue(task(), events, 5_000))
  expect(value).toMatchObject({
    task_id: 'task_1',
    status: 'completed',
    branch: 'switchyard/task_1',
    result: { output: 'Fixed.\n[code left out]', files: 2, additions: 3, deletions: 1 },
  })
  expect(value.last_events).toHaveLength(10)
  expect(value.last_events.at(-1)).toEqual({ seq: 30, type: 'task_progress', at, message: 'step 30' })
})

it.each([5_000, 2_000, 1_000, 500])('is valid JSON of at most %i characters for a large task', (limit) => {
  const { result } = task()
  if (!result) throw new Error('no result')
  const long = '"\n\u0001'.repeat(20_000)
  const big = task({
    result: { ...result, output: long, files_changed: Array.from({ length: 300 }, (_, n) => `${'d/'.repeat(50)}${n}`) },
    task_description: long,
  })
  const value = blockValue(big, events, limit)
  expect(value.length).toBeLessThanOrEqual(limit)
  expect(JSON.parse(value)).toMatchObject({ task_id: 'task_1', status: 'completed' })
})
