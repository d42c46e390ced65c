// The tools that show what a task did: its history, its files, its diff; and those that show how we are.

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

const taskId = z.string().describe('The task_id that execute_task gave')

/** Events from `offset` on; -1 for all there are. */
const readFrom = async (service: TaskService, caller: Caller, id: string, offset: number, limit: number) => {
  const events: TaskEvent[] = []
  const wanted = limit === -1 ? Number.POSITIVE_INFINITY : limit
  for (;;) {
    const pageSize = Math.min(wanted - events.length, LIMITS.eventsPage)
    const page = await service.events(caller, id, offset + events.length, pageSize)
    events.push(...page.events)
    if (!page.has_more || page.events.length === 0 || events.length >= wanted)
      return { events, total: page.last_seq, hasMore: page.has_more }
  }
}

const historyTool = (service: TaskService): Tool =>
  defineTool({
    name: 'get_task_history',
    title: 'Read a task’s events',
    description:
      'Everything that happened in a task, in order: what the agent read, wrote and ran, what it said, how it ended. Page with events_offset; events_limit -1 gives all.',
    input: z.strictObject({
      task_id: taskId,
      include_artifacts: z.boolean().optional().describe('Repeat the task’s artifacts in a list of their own'),
      events_limit: z
        .number()
        .int()
        .min(-1)
        .max(LIMITS.eventsPage)
        .refine((limit) => limit !== 0, 'is 0: give -1 for all, or a number from 1')
        .optional()
        .describe('Events at most; default 100; -1: all'),
      events_offset: z.number().int().min(0).max(2_147_483_647).optional().describe('Events to skip; default 0'),
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
      // An artifact of a page that was not asked for is one all the same.
      const all = await readFrom(service, caller, id, 0, -1)
      return { ...base, artifacts: all.events.filter((event) => event.type === 'task_artifact') }
    },
  })

const filesTool = (service: TaskService): Tool =>
  defineTool({
    name: 'get_task_files',
    title: 'List a task’s files',
    description: 'Entries of the task’s working directory, or of a directory in it, while it runs and after it ended.',
    input: z.strictObject({
      task_id: taskId,
      path: z.string().max(4_096).optional().describe('A directory relative to the working directory'),
    }),
    output: fileListSchema,
    annotations: READS,
    run: async (input, { caller, signal }) => await service.files(caller, input.task_id, input.path ?? '', signal),
  })

const fileTool = (service: TaskService): Tool =>
  defineTool({
    name: 'read_task_file',
    title: 'Read a task’s file',
    description:
      'The content of a file in the task’s working directory. Text comes as it is, anything else as base64; truncated says that more follows: read on with offset.',
    input: z.strictObject({
      task_id: taskId,
      file_path: z.string().min(1).max(4_096).describe('Relative to the working directory'),
      offset: z.number().int().min(0).optional().describe('Bytes to skip'),
      limit: z.number().int().min(1).max(LIMITS.fileBytes).optional().describe('Bytes at most'),
    }),
    output: fileContentSchema,
    annotations: READS,
    run: async ({ task_id: id, file_path: path, offset, limit }, { caller, signal }) =>
      await service.content(caller, id, path, { offset, limit }, signal),
  })

const diffTool = (service: TaskService): Tool =>
  defineTool({
    name: 'get_task_diff',
    title: 'Read what a task changed',
    description:
      'A unified diff of the task’s working directory against where it began, and the changed files one by one.',
    input: z.strictObject({ task_id: taskId }),
    output: taskDiffSchema,
    annotations: READS,
    run: async (input, { caller, signal }) => await service.diff(caller, input.task_id, signal),
  })

const pingTool = (): Tool =>
  defineTool({
    name: 'ping',
    title: 'Ping',
    description: 'Answers at once: this server is there.',
    input: z.strictObject({}),
    output: z.object({ ok: z.boolean(), timestamp: z.string() }),
    annotations: READS,
    run: async () => ({ ok: true, timestamp: new Date().toISOString() }),
  })

const healthTool = (check: HealthCheck): Tool =>
  defineTool({
    name: 'health',
    title: 'How the parts are',
    description:
      'The state of each part (database, queue, workers, OpenCode servers), versions, how many tasks are in which status, and which model providers are there.',
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

export const stateTools = (check: HealthCheck): readonly Tool[] => [pingTool(), healthTool(check)]
