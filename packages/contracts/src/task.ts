// The task: what a caller asks for, the record that is kept, and the states it passes through.

import { z } from 'zod'
import { errorCodes } from './errors/catalogue.ts'
import { taskIdSchema } from './ids.ts'
import { hasNoNul, shortText } from './text.ts'

export const STATUSES = [
  'queued',
  'preparing',
  'running',
  'input_required',
  'paused',
  'completed',
  'failed',
  'cancelled',
  'timeout',
] as const
export const statusSchema = z.enum(STATUSES)
export type Status = z.infer<typeof statusSchema>

export const TERMINAL_STATUSES = ['completed', 'failed', 'cancelled', 'timeout'] as const
export type TerminalStatus = (typeof TERMINAL_STATUSES)[number]
export const isTerminal = (status: Status): status is TerminalStatus =>
  (TERMINAL_STATUSES as readonly Status[]).includes(status)

export const modeSchema = z.enum(['opencode', 'docker'])
export type Mode = z.infer<typeof modeSchema>

/** The two pools of OpenCode servers, say of two versions. */
export const POOLS = ['blue', 'green'] as const
export const poolSchema = z.enum(POOLS)
export type Pool = z.infer<typeof poolSchema>

/** What decided the mode of a task. */
export const modeReasonSchema = z.enum([
  /** The call named it. */
  'asked',
  /** OPENCODE_SERVER_ENABLED is false. */
  'server_disabled',
  'rollout',
  /** By hand: every new task goes to one side. */
  'fixed',
  /** The side that the percentage says has failed too often. */
  'breaker',
  /** That side is tried again with this task. */
  'probe',
  /** No worker that is alive runs tasks of that side. */
  'no_worker',
  /** The task asks for something that docker mode cannot do. */
  'docker_cannot',
])
export type ModeReason = z.infer<typeof modeReasonSchema>

export const permissionsSchema = z.enum(['allow', 'ask', 'deny'])
export type Permissions = z.infer<typeof permissionsSchema>

/** Sizes are bytes of UTF-8 where text is meant for the model, characters elsewhere. */
export const LIMITS = {
  descriptionBytes: 200_000,
  messageBytes: 100_000,
  metadataBytes: 16_384,
  bodyBytes: 1_048_576,
  minTimeoutMs: 1_000,
  maxTimeoutMs: 7 * 24 * 3_600_000,
  maxWaitMs: 50_000,
  listPage: 100,
  eventsPage: 1_000,
  fileBytes: 1_048_576,
} as const

const withinBytes = (limit: number) => (text: string) => Buffer.byteLength(text, 'utf8') <= limit

export const metadataSchema = z
  .record(z.string(), z.unknown())
  .refine(
    (value) => withinBytes(LIMITS.metadataBytes)(JSON.stringify(value)),
    `larger than ${LIMITS.metadataBytes} bytes`,
  )
  .refine((value) => !JSON.stringify(value).includes('\\u0000'), 'contains a NUL character')

export const executeTaskSchema = z.object({
  task_description: z
    .string()
    .refine((text) => text.trim().length > 0, 'is empty')
    .refine(withinBytes(LIMITS.descriptionBytes), `larger than ${LIMITS.descriptionBytes} bytes`)
    .refine(hasNoNul, 'contains a NUL character')
    .describe('What to do, in words; it reaches the model as it is'),
  agent_id: shortText(200).optional().describe('The calling agent; default: X-Agent-Id, else the name of the key'),
  idempotency_key: shortText(200)
    .optional()
    .describe('The same key makes one task, however often the call is repeated'),
  timeout_ms: z
    .number()
    .int()
    .min(LIMITS.minTimeoutMs)
    .max(LIMITS.maxTimeoutMs)
    .optional()
    .describe('How long the task may run; default TASK_TIMEOUT_MS'),
  sync: z.boolean().optional().describe('Wait for the end, 50 s at most; the same as wait_ms: 50000'),
  wait_ms: z
    .number()
    .int()
    .min(0)
    .max(LIMITS.maxWaitMs)
    .optional()
    .describe('How long to wait for the end before answering'),
  observers: z.array(shortText(200)).max(20).optional().describe('People to notify, such as Matrix user ids'),
  project: shortText(2_000)
    .optional()
    .describe(
      'A git URL (https, ssh) or a project id, with an operator’s key also a file URL or a local path; none: an empty scratch directory',
    ),
  base_branch: shortText(250)
    .optional()
    .describe('Branch, tag or commit to start from; default: the remote’s default branch'),
  branch: shortText(250)
    .optional()
    .describe('Name of the branch that the work is done on; default: switchyard/<task id>'),
  sandbox: shortText(100).optional().describe('An existing sandbox of the project to work in'),
  model: shortText(200).optional().describe('provider/model; default DEFAULT_MODEL, else the OpenCode server’s own'),
  variant: shortText(100).optional().describe('A variant of the model, such as a reasoning effort'),
  agent: shortText(100).optional().describe('An OpenCode agent, such as build or plan'),
  permissions: permissionsSchema
    .optional()
    .describe('allow: never asks; ask: asks before it changes or runs; deny: reads only. Default allow'),
  priority: z.number().int().min(0).max(10).optional().describe('0 (first) to 10 (last); default 5'),
  callback_url: z
    .url({ protocol: /^https?$/ })
    .max(2_000)
    .optional()
    .describe('A webhook for the events of this task'),
  mode: modeSchema.optional().describe('Operators only: fixes the execution mode'),
  metadata: metadataSchema.optional().describe('Kept with the record and returned as it is'),
})
export type ExecuteTask = z.infer<typeof executeTaskSchema>

export const usageSchema = z.object({
  input: z.number().int(),
  output: z.number().int(),
  reasoning: z.number().int(),
  cache_read: z.number().int(),
  cache_write: z.number().int(),
})
export type Usage = z.infer<typeof usageSchema>

export const taskResultSchema = z.object({
  output: z.string().describe('the last answer of the agent'),
  files_changed: z.array(z.string()).describe('paths relative to the directory'),
  additions: z.number().int(),
  deletions: z.number().int(),
  usage: usageSchema.describe('tokens over all turns and subagents'),
  cost: z.number().describe('US dollars, as OpenCode reckons it'),
  exit_code: z.number().int().nullable(),
})
export type TaskResult = z.infer<typeof taskResultSchema>

export const taskErrorSchema = z.object({ code: z.enum(errorCodes), message: z.string(), retryable: z.boolean() })
export type TaskError = z.infer<typeof taskErrorSchema>

/** A permission ask or a question of the agent that waits for an answer. */
export const taskRequestSchema = z.object({
  request_id: z.string(),
  task_id: z.string(),
  kind: z.enum(['permission', 'question']),
  session_id: z.string(),
  title: z.string().describe('what is asked, for a person'),
  permission: z.string().nullable().describe('for a permission: its name, such as bash or edit'),
  patterns: z.array(z.string()),
  questions: z.array(
    z.object({
      question: z.string(),
      header: z.string().nullable(),
      options: z.array(z.object({ label: z.string(), description: z.string().nullable() })),
      multiple: z.boolean(),
    }),
  ),
  created_at: z.iso.datetime(),
  expires_at: z.iso.datetime().describe('when the default answer is given'),
  default_reply: z.string(),
})
export type TaskRequest = z.infer<typeof taskRequestSchema>

export const taskSchema = z.object({
  task_id: taskIdSchema,
  agent_id: z.string(),
  status: statusSchema,
  mode: modeSchema,
  mode_reason: modeReasonSchema.nullable().describe('what decided the mode; null: accepted before there was a choice'),
  mode_detail: z.string().nullable().describe('the decision on mode and pool in words'),
  pool: poolSchema.nullable().describe('the pool of OpenCode servers; null in docker mode'),
  task_description: z.string(),
  project_id: z.string().nullable(),
  directory: z.string().nullable().describe('null until the task is prepared'),
  branch: z.string().nullable(),
  session_id: z.string().nullable(),
  model: z.string().nullable(),
  agent: z.string().nullable(),
  attempt: z.number().int().describe('how often a worker has taken it'),
  created_at: z.iso.datetime(),
  updated_at: z.iso.datetime(),
  started_at: z.iso.datetime().nullable(),
  completed_at: z.iso.datetime().nullable(),
  deadline: z.iso.datetime(),
  result: taskResultSchema.nullable(),
  error: taskErrorSchema.nullable(),
  requests: z.array(taskRequestSchema).describe('those that wait for an answer'),
  last_seq: z.number().int(),
  metadata: z.record(z.string(), z.unknown()),
})
export type Task = z.infer<typeof taskSchema>
