// The task: the arguments of `execute_task`, the record, and the statuses.

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

/** The two pools of OpenCode servers, for example of two versions. */
export const POOLS = ['blue', 'green'] as const
export const poolSchema = z.enum(POOLS)
export type Pool = z.infer<typeof poolSchema>

/** What decided the mode of a task. */
export const modeReasonSchema = z.enum([
  /** The call set it. */
  'asked',
  /** OPENCODE_SERVER_ENABLED is false. */
  'server_disabled',
  'rollout',
  /** An operator sends every new task to one mode. */
  'fixed',
  /** The mode that the percentage selects has failed too often. */
  'breaker',
  /** The task is a probe of a mode that failed. */
  'probe',
  /** No live worker runs tasks of that mode. */
  'no_worker',
  /** The task needs something that Docker mode does not support. */
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
    .describe(
      'What to do, in plain words, for example "Fix the failing test in sum.test.js". The model gets it unchanged',
    ),
  agent_id: shortText(200)
    .optional()
    .describe('Id of the calling agent, such as agent-42; default: X-Agent-Id, then the name of the key'),
  idempotency_key: shortText(200)
    .optional()
    .describe('A key of your choice, such as issue-17; repeated calls with the same key create one task'),
  timeout_ms: z
    .number()
    .int()
    .min(LIMITS.minTimeoutMs)
    .max(LIMITS.maxTimeoutMs)
    .optional()
    .describe('How long the task may run, in milliseconds; default TASK_TIMEOUT_MS'),
  sync: z.boolean().optional().describe('Wait until the task ends, at most 50 s; the same as wait_ms: 50000'),
  wait_ms: z
    .number()
    .int()
    .min(0)
    .max(LIMITS.maxWaitMs)
    .optional()
    .describe('How long to wait for the end of the task before returning, in milliseconds'),
  observers: z
    .array(shortText(200))
    .max(20)
    .optional()
    .describe('People to notify, as Matrix user ids such as @ann:example.com'),
  project: shortText(2_000)
    .optional()
    .describe(
      'The repository: a git URL (https, ssh) or a project id, such as https://github.com/acme/app.git; operators may also use a file URL or a local path. Default: an empty directory',
    ),
  base_branch: shortText(250)
    .optional()
    .describe('Branch, tag or commit to start from; default: the default branch of the remote'),
  branch: shortText(250).optional().describe('Branch to work on, such as fix/sum; default switchyard/<task id>'),
  sandbox: shortText(100).optional().describe('Name of an existing sandbox of the project to work in'),
  model: shortText(200)
    .optional()
    .describe(
      'provider/model, such as anthropic/claude-sonnet-4-5; default DEFAULT_MODEL, then the model of the OpenCode server',
    ),
  variant: shortText(100).optional().describe('Variant of the model, such as high for more reasoning'),
  agent: shortText(100).optional().describe('OpenCode agent, such as build or plan'),
  permissions: permissionsSchema
    .optional()
    .describe(
      'allow: the agent never asks; ask: it asks before it changes or runs something; deny: it only reads. Default allow',
    ),
  priority: z.number().int().min(0).max(10).optional().describe('0 (first) to 10 (last); default 5'),
  callback_url: z
    .url({ protocol: /^https?$/ })
    .max(2_000)
    .optional()
    .describe('URL that receives the events of this task, such as https://example.com/hook'),
  mode: modeSchema.optional().describe('Execution mode, for operators; the rollout decides by default'),
  metadata: metadataSchema
    .optional()
    .describe('JSON of your own, such as {"issue": 17}; stored with the task and returned unchanged'),
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
  output: z.string().describe('The last answer of the agent'),
  files_changed: z.array(z.string()).describe('Paths relative to the directory'),
  additions: z.number().int(),
  deletions: z.number().int(),
  usage: usageSchema.describe('Tokens of all turns and subagents'),
  cost: z.number().describe('US dollars, as OpenCode calculates it'),
  exit_code: z.number().int().nullable(),
})
export type TaskResult = z.infer<typeof taskResultSchema>

export const taskErrorSchema = z.object({ code: z.enum(errorCodes), message: z.string(), retryable: z.boolean() })
export type TaskError = z.infer<typeof taskErrorSchema>

/** A permission request or a question of the agent that waits for a reply. */
export const taskRequestSchema = z.object({
  request_id: z.string(),
  task_id: z.string(),
  kind: z.enum(['permission', 'question']),
  session_id: z.string(),
  title: z.string().describe('What the agent wants to do or know, in words'),
  permission: z.string().nullable().describe('Name of the permission, such as bash or edit; null for a question'),
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
  expires_at: z.iso.datetime().describe('When the default reply applies'),
  default_reply: z.string(),
})
export type TaskRequest = z.infer<typeof taskRequestSchema>

export const taskSchema = z.object({
  task_id: taskIdSchema,
  agent_id: z.string(),
  status: statusSchema,
  mode: modeSchema,
  mode_reason: modeReasonSchema.nullable().describe('What decided the mode; null for tasks of older versions'),
  mode_detail: z.string().nullable().describe('How mode and pool were decided, in words'),
  pool: poolSchema.nullable().describe('The pool of OpenCode servers; null in Docker mode'),
  task_description: z.string(),
  project_id: z.string().nullable(),
  directory: z.string().nullable().describe('Null until the task is prepared'),
  branch: z.string().nullable(),
  session_id: z.string().nullable(),
  model: z.string().nullable(),
  agent: z.string().nullable(),
  attempt: z.number().int().describe('Number of times that a worker has started it'),
  created_at: z.iso.datetime(),
  updated_at: z.iso.datetime(),
  started_at: z.iso.datetime().nullable(),
  completed_at: z.iso.datetime().nullable(),
  deadline: z.iso.datetime(),
  result: taskResultSchema.nullable(),
  error: taskErrorSchema.nullable(),
  requests: z.array(taskRequestSchema).describe('Requests that wait for a reply'),
  last_seq: z.number().int(),
  metadata: z.record(z.string(), z.unknown()),
})
export type Task = z.infer<typeof taskSchema>
