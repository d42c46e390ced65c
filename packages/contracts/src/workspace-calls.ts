// The calls to workers that read the working directory of a task.

import { z } from 'zod'
import { fileContentSchema, fileListSchema, taskDiffSchema } from './workspace.ts'

const task = z.object({ task_id: z.string() })

export const workspaceCalls = {
  'task.files': {
    args: task.extend({ path: z.string() }),
    result: fileListSchema.omit({ task_id: true }),
  },
  'task.file': {
    args: task.extend({
      path: z.string(),
      offset: z.number().int().optional(),
      limit: z.number().int().optional(),
    }),
    result: fileContentSchema,
  },
  'task.diff': { args: task, result: taskDiffSchema },
} as const
