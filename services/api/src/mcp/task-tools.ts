// The tools that start, find and steer tasks.

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

const taskId = z.string().describe('The task_id that execute_task gave')

const executeOutput = z.object({
  task_id: z.string(),
  status: statusSchema,
  message: z.string().describe('what happened and what to do next'),
  deduplicated: z.boolean().describe('the same idempotency_key made this task before'),
  result: taskResultSchema.nullable().optional().describe('where the call waited and the task ended'),
  error: taskErrorSchema.nullable().optional(),
})

const nextStep = (task: Task, created: boolean): string => {
  if (isTerminal(task.status))
    return task.error ? `${task.status}: ${task.error.message}` : `${task.status}; get_task_diff shows what it changed`
  if (task.status === 'input_required')
    return 'waits for an answer: read its requests with get_task_status, answer with reply_task_request'
  return created
    ? `accepted; follow it with get_task_status (wait_ms up to ${LIMITS.maxWaitMs}) or get_task_history`
    : `this idempotency_key made the task before; it is ${task.status}`
}

const executeTool = (service: TaskService, name: string): Tool =>
  defineTool({
    name,
    title: 'Run a coding task',
    description:
      'Starts a coding task: an agent (OpenCode) works on it in a git worktree of its own, with files, a shell and the model of your choice. Returns at once with a task_id, unless sync or wait_ms asks it to wait (50 s at most; the task goes on after that). Name a git repository in `project`, or leave it out for an empty directory. Give an idempotency_key so that a repeated call does not start the work twice.',
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
      'The record of a task: its status, result or error, the requests that wait for an answer, and its last 5 events. With wait_ms the answer is held until the task ends or asks something.',
    input: z.strictObject({
      task_id: taskId,
      wait_ms: z.number().int().min(0).max(LIMITS.maxWaitMs).optional().describe('How long to wait, in milliseconds'),
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
    title: 'Say something to a running task',
    description:
      'Sends a message to the agent that works on a task: a correction, more context, another wish. It is read at the agent’s next step. `delivered` says whether the session has it already; otherwise it is kept until the session runs.',
    input: z.strictObject({
      task_id: taskId,
      message: sendMessageSchema.shape.message,
      message_type: messageTypeSchema.optional().describe('What kind of message it is; default update'),
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
      'cancel stops a task and keeps what was done so far; pause ends its turn and keeps its session; resume continues it. `outcome` says what came of it: done, requested (the worker is at it), already, already_ended or not_possible.',
    input: z.strictObject({
      task_id: taskId,
      control: controlSchema,
      reason: sendControlSchema.shape.reason.describe('Kept with the task’s events'),
    }),
    output: sentControlSchema,
    annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: true, openWorldHint: false },
    run: async ({ task_id: id, ...control }, { caller, signal }) => await service.control(caller, id, control, signal),
  })

const replyTool = (service: TaskService): Tool =>
  defineTool({
    name: 'reply_task_request',
    title: 'Answer what a task asks',
    description:
      'Answers a permission ask or a question of a task whose status is input_required. A permission takes "once", "always" (for this task) or "reject"; a question takes a list of answers for each question asked, or a text where it is one. get_task_status lists the requests.',
    input: z.strictObject({
      task_id: taskId,
      request_id: z.string().describe('The request_id of one of the task’s requests'),
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
      'Tasks that you may see: those that wait for an answer first, then the newest. Filter by status, agent_id or project; continue with next_cursor.',
    input: z.strictObject({
      status: z
        .union([statusSchema, z.array(statusSchema).min(1)])
        .optional()
        .describe('One status or several'),
      agent_id: z.string().max(200).optional(),
      project: z.string().max(2_000).optional().describe('A project id, a git URL or a local path'),
      limit: z.number().int().min(1).max(LIMITS.listPage).optional().describe('Tasks at most; default 20'),
      cursor: z.string().max(500).optional().describe('next_cursor of the page before'),
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

export const taskTools = (service: TaskService): readonly Tool[] => [
  executeTool(service, 'execute_task'),
  // The name under which earlier systems offered the same tool.
  executeTool(service, 'opencode_execute_task'),
  statusTool(service),
  messageTool(service),
  controlTool(service),
  replyTool(service),
  listTool(service),
]
