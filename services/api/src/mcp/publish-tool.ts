// The tool that pushes the work of a task.

import { publishedSchema, publishSchema } from '@switchyard/contracts'
import { z } from 'zod'
import type { Publishing } from '../projects/publishing.ts'
import { defineTool, type Tool } from './tool.ts'

export const publishTaskTool = (publishing: Publishing): Tool =>
  defineTool({
    name: 'publish_task',
    title: 'Publish the work of a task',
    description:
      "Commits the uncommitted changes of a task, pushes its work to a branch and returns the branch and commit. Use it when you have reviewed the work. The default is the task's own branch. Safe to repeat; the task must have a project.",
    input: publishSchema.extend({ task_id: z.string().describe('The task_id that execute_task returned') }).strict(),
    output: publishedSchema,
    annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: true, openWorldHint: true },
    run: async ({ task_id: task, ...input }, { caller, signal }) =>
      await publishing.publish(caller, { task }, input, signal),
  })
