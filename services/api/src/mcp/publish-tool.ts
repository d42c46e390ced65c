// The tool that pushes what a task did.

import { publishedSchema, publishSchema } from '@switchyard/contracts'
import { z } from 'zod'
import type { Publishing } from '../projects/publishing.ts'
import { defineTool, type Tool } from './tool.ts'

export const publishTaskTool = (publishing: Publishing): Tool =>
  defineTool({
    name: 'publish_task',
    title: 'Publish a task’s work',
    description:
      'Commits what a task left uncommitted and pushes its work to a branch of the project’s repository; the task’s own branch by default. Safe to repeat.',
    input: publishSchema.extend({ task_id: z.string().describe('The task_id that execute_task gave') }).strict(),
    output: publishedSchema,
    annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: true, openWorldHint: true },
    run: async ({ task_id: task, ...input }, { caller, signal }) =>
      await publishing.publish(caller, { task }, input, signal),
  })
