// How long tasks may run and wait, how many run at once, and how long their traces stay.

import { cpus } from 'node:os'
import { MODEL_NAME } from '@switchyard/contracts'
import { z } from 'zod'
import { CORE, setting } from './setting.ts'
import { count, DAY, MINUTE, milliseconds, parsed, SECOND } from './types.ts'

const model = z.preprocess(
  (value) => (value === '' ? undefined : value),
  z.string().regex(MODEL_NAME, 'is not provider/model').optional(),
)

export const tasks = {
  title: 'Tasks',
  settings: {
    DEFAULT_MODEL: setting(parsed(model, '`provider/model`'), {
      description: 'Model for tasks that name none.',
      default: "OpenCode's choice",
      example: 'anthropic/claude-sonnet-4-5',
      services: CORE,
    }),
    MAX_CONCURRENT_TASKS: setting(count(Math.max(4, cpus().length * 4), 1, 1_000), {
      description: 'Tasks that one worker runs at once.',
      default: '4 per core',
      example: '8',
      stackDefault: '8',
      services: ['worker'],
    }),
    TASK_TIMEOUT_MS: setting(milliseconds(30 * MINUTE, SECOND, 7 * DAY), {
      description: 'How long a task may run when it does not set `timeout_ms`.',
      services: CORE,
    }),
    TASK_QUEUE_TIMEOUT_MS: setting(milliseconds(DAY, SECOND, 30 * DAY), {
      description: 'How long a task may wait for a worker.',
      services: CORE,
    }),
    REQUEST_TIMEOUT_MS: setting(milliseconds(30 * MINUTE, SECOND, 7 * DAY), {
      description: "How long an agent's request waits before its default answer is used.",
      services: CORE,
    }),
    TASK_STUCK_MS: setting(milliseconds(10 * MINUTE, SECOND, 7 * DAY), {
      description:
        'Time without a sign of work after which the agent is nudged; after the same time again the task is stopped.',
      services: CORE,
    }),
    MAX_QUEUED_TASKS: setting(count(10_000, 0, 10_000_000), {
      description: 'Tasks that may wait at once; further ones are refused with `queue_full`. 0 is no limit.',
      services: CORE,
    }),
    MAX_RUNNING_TASKS: setting(count(0, 0, 100_000), {
      description: 'Tasks that may run at once in total. 0 is no limit.',
      services: CORE,
    }),
    MAX_RUNNING_PER_SERVER: setting(count(0, 0, 100_000), {
      description: 'Tasks that may run at once on one OpenCode server. 0 is no limit.',
      services: CORE,
    }),
    MAX_RUNNING_PER_PROJECT: setting(count(0, 0, 100_000), {
      description: 'Tasks that may run at once on one repository. 0 is no limit.',
      services: CORE,
    }),
    MAX_RUNNING_PER_AGENT: setting(count(0, 0, 100_000), {
      description: 'Tasks that may run at once for one agent. 0 is no limit.',
      services: CORE,
    }),
    WORKSPACE_RETENTION_MS: setting(milliseconds(7 * DAY, 0, 3_650 * DAY), {
      description:
        'How long an ended task keeps its working directory. Its work is bundled before the directory is removed.',
      services: CORE,
    }),
    EVENT_RETENTION_MS: setting(milliseconds(30 * DAY, 0, 3_650 * DAY), {
      description: 'How long an ended task keeps its events.',
      services: CORE,
    }),
    RECORD_RETENTION_MS: setting(milliseconds(90 * DAY, 0, 3_650 * DAY), {
      description: 'How long an ended task keeps its record.',
      services: CORE,
    }),
  },
} as const
