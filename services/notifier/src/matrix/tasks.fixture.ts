// Moves tasks through their states, for tests of the Matrix notifications.

import type { TaskId } from '@switchyard/contracts'
import { advance, type Records } from '@switchyard/records'
import { event } from '../notifier.fixture.ts'

export const run = async ({ db }: Records, taskId: TaskId): Promise<void> => {
  for (const to of ['preparing', 'running'] as const)
    await advance(db, {
      taskId,
      generation: null,
      to,
      ...(to === 'running' ? { set: { started_at: new Date() }, events: [event('task_started')] } : {}),
    })
}

export const complete = async ({ db }: Records, taskId: TaskId, output: string): Promise<void> => {
  await advance(db, {
    taskId,
    generation: null,
    to: 'completed',
    set: {
      completed_at: new Date(),
      branch: 'switchyard/fix',
      result: {
        output,
        files_changed: ['a.ts', 'b.ts'],
        additions: 12,
        deletions: 3,
        usage: { input: 1, output: 2, reasoning: 0, cache_read: 0, cache_write: 0 },
        cost: 0.0421,
        exit_code: null,
      },
    },
    events: [event('task_completed')],
  })
}
