// Tools that start, read, list and steer tasks.

import {
  controlSchema,
  executeTaskSchema,
  isTerminal,
  LIMITS,
  messageTypeSchema,
  metadataSchema,
  repliedSchema,
  replySchema,
  sendControlSchema,
  sendMessageSchema,
  sentControlSchema,
  sentMessageSchema,
  statusSchema,
  type Task,
  taskErrorSchema,
  taskEventSchema,
  taskResultSchema,
  taskSchema,
} from '@switchyard/contracts'
import { z } from 'zod'
import type { TaskService } from '../tasks/service.ts'
import { defineTool, READS, type Tool } from './tool.ts'

const taskId = z.string().describe('The task_id that execute_task returned')

const executeOutput = z.object({
  task_id: z.string(),
  status: statusSchema,
  message: z.string().describe('what happened and what to do next'),
  deduplicated: z.boolean().describe('whether an earlier call with this idempotency_key created the task'),
  result: taskResultSchema.nullable().optional().describe('only if the call waited and the task has ended'),
  error: taskErrorSchema.nullable().optional(),
})

const nextStep = (task: Task, created: boolean): string => {
  if (isTerminal(task.status))
    return task.error
      ? `${task.status}: ${task.error.message}`
      : `${task.status}; call get_task_diff to see its changes`
  if (task.status === 'input_required')
    return 'the task needs input; read its requests with get_task_status and reply with reply_task_request'
  return created
    ? `accepted; follow the task with get_task_status (wait_ms up to ${LIMITS.maxWaitMs}) or get_task_history`
    : `an earlier call with this idempotency_key created the task; its status is ${task.status}`
}

const executeTool = (service: TaskService, name: string): Tool =>
  defineTool({
    name,
    title: 'Run a coding task',
    description:
      'Starts a coding task and returns its task_id. An OpenCode agent works on it in a separate git worktree, with files and a shell. Set project to a git repository, or omit it for an empty directory. Set idempotency_key so that a retry does not start the work twice. With sync or wait_ms the call waits up to 50 s; the task then continues.',
    input: executeTaskSchema.strict(),
    output: executeOutput,
    annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: false, openWorldHint: true },
    run: async (input, { caller, signal }) => {
      const { task, created } = await service.accept(caller, input, signal)
      return {
        task_id: task.task_id,
        status: task.status,
        message: nextStep(task, created),
        deduplicated: !created,
        ...(isTerminal(task.status) ? { result: task.result, error: task.error } : {}),
      }
    },
  })

const statusTool = (service: TaskService): Tool =>
  defineTool({
    name: 'get_task_status',
    title: 'Read a task',
    description:
      'Returns the record of a task: status, result or error, pending requests and the last 5 events. Use it to follow a task; with wait_ms the call waits until the task ends or needs input. It returns after wait_ms in any case.',
    input: z.strictObject({
      task_id: taskId,
      wait_ms: z
        .number()
        .int()
        .min(0)
        .max(LIMITS.maxWaitMs)
        .optional()
        .describe('Maximum time to wait, in milliseconds; default 0'),
    }),
    output: taskSchema.extend({ task_id: z.string(), last_events: z.array(taskEventSchema) }),
    annotations: READS,
    run: async (input, { caller, signal }) => {
      const task = await service.get(caller, input.task_id, input.wait_ms ?? 0, signal)
      return { ...task, last_events: await service.lastEvents(task, 5) }
    },
  })

const messageTool = (service: TaskService): Tool =>
  defineTool({
    name: 'send_task_message',
    title: 'Send a message to a task',
    description:
      'Sends a message to the agent of a task and returns whether its session has received it. Use it to correct the agent, add context or change the requirements while it works. The agent reads the message at its next step; a message that is not delivered yet is stored until the session runs.',
    input: z.strictObject({
      task_id: taskId,
      message: sendMessageSchema.shape.message,
      message_type: messageTypeSchema.optional().describe('The kind of message; default update'),
      metadata: metadataSchema.optional(),
    }),
    output: sentMessageSchema,
    annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: false, openWorldHint: false },
    run: async ({ task_id: id, ...message }, { caller, signal }) => await service.message(caller, id, message, signal),
  })

const controlTool = (service: TaskService): Tool =>
  defineTool({
    name: 'send_task_control',
    title: 'Cancel, pause or resume a task',
    description:
      'Cancels, pauses or resumes a task and returns the outcome: done, requested (in progress), already, already_ended or not_possible. Cancel stops the task and keeps its changes. Pause interrupts its turn and keeps its session, and resume continues it. A cancelled task cannot be resumed.',
    input: z.strictObject({
      task_id: taskId,
      control: controlSchema,
      reason: sendControlSchema.shape.reason.describe('Recorded in the events of the task'),
    }),
    output: sentControlSchema,
    annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: true, openWorldHint: false },
    run: async ({ task_id: id, ...control }, { caller, signal }) => await service.control(caller, id, control, signal),
  })

const replyTool = (service: TaskService): Tool =>
  defineTool({
    name: 'reply_task_request',
    title: 'Reply to a request of a task',
    description:
      'Replies to a permission request or a question and returns its new status. Use it when a task is input_required; get_task_status lists the requests. Reply to a permission with "once", "always" (for this task) or "reject". Reply to a question with a list of answers per question, or a text if there is only one. The first reply counts.',
    input: z.strictObject({
      task_id: taskId,
      request_id: z.string().describe('The request_id of a pending request of the task'),
      reply: replySchema.shape.reply.describe('"once", "always", "reject", a text, or a list of answers per question'),
      message: replySchema.shape.message,
    }),
    output: repliedSchema,
    annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: false, openWorldHint: false },
    run: async ({ task_id: id, request_id: requestId, ...reply }, { caller }) =>
      await service.reply(caller, id, requestId, reply),
  })

const listTool = (service: TaskService): Tool =>
  defineTool({
    name: 'list_tasks',
    title: 'List tasks',
    description:
      'Returns the tasks that you may see: those that need input first, then the newest. Use it to find a task_id or to check what needs you. Filter by status, agent_id or project. Each call returns one page; send next_cursor as cursor for the next.',
    input: z.strictObject({
      status: z
        .union([statusSchema, z.array(statusSchema).min(1)])
        .optional()
        .describe('One or several statuses'),
      agent_id: z.string().max(200).optional(),
      project: z.string().max(2_000).optional().describe('A project id, a git URL or a local path'),
      limit: z.number().int().min(1).max(LIMITS.listPage).optional().describe('Maximum number of tasks; default 20'),
      cursor: z.string().max(500).optional().describe('next_cursor of the previous page'),
    }),
    output: z.object({
      tasks: z.array(taskSchema.extend({ task_id: z.string() })),
      next_cursor: z.string().nullable(),
    }),
    annotations: READS,
    run: async ({ status, limit, ...query }, { caller }) => {
      const statuses = status === undefined ? undefined : Array.isArray(status) ? status : [status]
      return await service.list(caller, { ...query, status: statuses, limit: limit ?? 20 }, true)
    },
  })

/** The name of `execute_task` in earlier systems: always served, and listed with MCP_LEGACY_TOOLS. */
export const OLDER_EXECUTE_TASK = 'opencode_execute_task'

export const taskTools = (service: TaskService): readonly Tool[] => [
  executeTool(service, 'execute_task'),
  executeTool(service, OLDER_EXECUTE_TASK),
  statusTool(service),
  messageTool(service),
  controlTool(service),
  replyTool(service),
  listTool(service),
]
