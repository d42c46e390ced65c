// A completed task and its events, for tests.

import type { Task, TaskEvent } from '@switchyard/contracts'

export const at = '2026-01-31T12:00:00.000Z'

export const task = (more: Partial<Task> = {}): Task => ({
  task_id: 'task_1',
  agent_id: 'agent-1',
  status: 'completed',
  mode: 'opencode',
  mode_reason: null,
  mode_detail: null,
  pool: 'blue',
  task_description: 'Fix the test',
  project_id: null,
  directory: '/workspaces/tasks/task_1',
  branch: 'switchyard/task_1',
  session_id: null,
  model: null,
  agent: null,
  attempt: 1,
  created_at: at,
  updated_at: at,
  started_at: at,
  completed_at: at,
  deadline: at,
  result: {
    output: 'Fixed.\n```ts\nconst a = 1\n```',
    files_changed: ['src/a.ts', 'src/b.ts'],
    additions: 3,
    deletions: 1,
    usage: { input: 1, output: 1, reasoning: 0, cache_read: 0, cache_write: 0 },
    cost: 0.0123,
    exit_code: 0,
  },
  error: null,
  requests: [],
  last_seq: 9,
  metadata: {},
  ...more,
})

export const event = (type: TaskEvent['type'], data: Record<string, unknown> = {}): TaskEvent => ({
  seq: 9,
  task_id: 'task_1',
  type,
  timestamp: at,
  message: type,
  data,
})
