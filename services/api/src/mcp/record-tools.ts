// Tools that read what a task did (history, files, diff), and tools that report the health of the installation.

import {
  fileContentSchema,
  fileListSchema,
  healthSchema,
  LIMITS,
  type TaskEvent,
  taskDiffSchema,
  taskEventSchema,
} from '@switchyard/contracts'
import { z } from 'zod'
import type { Caller } from '../access/caller.ts'
import type { HealthCheck } from '../monitoring/health.ts'
import type { TaskService } from '../tasks/service.ts'
import { defineTool, READS, type Tool } from './tool.ts'

const taskId = z.string().describe('The task_id that execute_task returned')

/** Returns events from `offset` on. @param limit - maximum number of events; -1 returns all */
const readFrom = async (service: TaskService, caller: Caller, id: string, offset: number, limit: number) => {
  const events: TaskEvent[] = []
  const max = limit === -1 ? Number.POSITIVE_INFINITY : limit
  for (;;) {
    const pageSize = Math.min(max - events.length, LIMITS.eventsPage)
    const page = await service.events(caller, id, offset + events.length, pageSize)
    events.push(...page.events)
    if (!page.has_more || page.events.length === 0 || events.length >= max)
      return { events, total: page.last_seq, hasMore: page.has_more }
  }
}

const historyTool = (service: TaskService): Tool =>
  defineTool({
    name: 'get_task_history',
    title: 'Read the events of a task',
    description:
      'Returns the events of a task in order: what the agent read, wrote, ran and said, and how it ended. Use it to see how a result came about. Each call returns up to events_limit events; continue with events_offset, or set events_limit to -1 for all.',
    input: z.strictObject({
      task_id: taskId,
      include_artifacts: z.boolean().optional().describe('Also return all artifacts of the task as a separate list'),
      events_limit: z
        .number()
        .int()
        .min(-1)
        .max(LIMITS.eventsPage)
        .refine((limit) => limit !== 0, 'must be -1 (all) or at least 1')
        .optional()
        .describe('Maximum number of events; default 100, -1 returns all'),
      events_offset: z
        .number()
        .int()
        .min(0)
        .max(2_147_483_647)
        .optional()
        .describe('Number of events to skip; default 0'),
    }),
    output: z.object({
      task_id: z.string(),
      events: z.array(taskEventSchema),
      total_events: z.number().int(),
      has_more_events: z.boolean(),
      artifacts: z.array(taskEventSchema).optional(),
    }),
    annotations: READS,
    run: async (input, { caller }) => {
      const id = input.task_id
      const found = await readFrom(service, caller, id, input.events_offset ?? 0, input.events_limit ?? 100)
      const base = {
        task_id: id,
        events: found.events,
        total_events: found.total,
        has_more_events: found.hasMore,
      }
      if (!input.include_artifacts) return base
      // The artifacts are those of the whole task, not only of the requested page.
      const all = await readFrom(service, caller, id, 0, -1)
      return { ...base, artifacts: all.events.filter((event) => event.type === 'task_artifact') }
    },
  })

const filesTool = (service: TaskService): Tool =>
  defineTool({
    name: 'get_task_files',
    title: 'List the files of a task',
    description:
      "Returns the entries of a task's working directory, or of a directory in it. Use it to find a file for read_task_file. Works while the task runs and after it has ended, until its directory is deleted.",
    input: z.strictObject({
      task_id: taskId,
      path: z.string().max(4_096).optional().describe('Relative to the working directory, which is the default'),
    }),
    output: fileListSchema,
    annotations: READS,
    run: async (input, { caller, signal }) => await service.files(caller, input.task_id, input.path ?? '', signal),
  })

const fileTool = (service: TaskService): Tool =>
  defineTool({
    name: 'read_task_file',
    title: 'Read a file of a task',
    description:
      "Returns the content of a file in a task's working directory: text as UTF-8, anything else as base64. Use get_task_files to find its path. If truncated is true, continue with offset.",
    input: z.strictObject({
      task_id: taskId,
      file_path: z.string().min(1).max(4_096).describe('Relative to the working directory'),
      offset: z.number().int().min(0).optional().describe('Number of bytes to skip; default 0'),
      limit: z.number().int().min(1).max(LIMITS.fileBytes).optional().describe('Maximum number of bytes'),
    }),
    output: fileContentSchema,
    annotations: READS,
    run: async ({ task_id: id, file_path: path, offset, limit }, { caller, signal }) =>
      await service.content(caller, id, path, { offset, limit }, signal),
  })

const diffTool = (service: TaskService): Tool =>
  defineTool({
    name: 'get_task_diff',
    title: 'Read the changes of a task',
    description:
      'Returns what a task changed: a unified diff against the commit it started from, and the list of changed files. Use it to review the work of a task, also while it runs. A very large diff is truncated.',
    input: z.strictObject({ task_id: taskId }),
    output: taskDiffSchema,
    annotations: READS,
    run: async (input, { caller, signal }) => await service.diff(caller, input.task_id, signal),
  })

const pingTool = (): Tool =>
  defineTool({
    name: 'ping',
    title: 'Ping',
    description: 'Returns the current time. Use it to check that this server responds.',
    input: z.strictObject({}),
    output: z.object({ ok: z.boolean(), timestamp: z.string() }),
    annotations: READS,
    run: async () => ({ ok: true, timestamp: new Date().toISOString() }),
  })

const healthTool = (check: HealthCheck): Tool =>
  defineTool({
    name: 'health',
    title: 'Check health',
    description:
      'Returns the state of each component (database, queue, workers, OpenCode servers), versions, task counts by status and the available model providers. Use it when calls fail or tasks do not start.',
    input: z.strictObject({}),
    output: healthSchema,
    annotations: READS,
    run: async () => await check.health(true),
  })

export const recordTools = (service: TaskService): readonly Tool[] => [
  historyTool(service),
  filesTool(service),
  fileTool(service),
  diffTool(service),
]

export const healthTools = (check: HealthCheck): readonly Tool[] => [pingTool(), healthTool(check)]
