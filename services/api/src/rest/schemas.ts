// The named schemas of the OpenAPI document, and parameters that several routes share.

import {
  changeRolloutSchema,
  configureServerSchema,
  createSandboxSchema,
  deliverySchema,
  deployKeySchema,
  destroyedProjectSchema,
  duplicatesSchema,
  executeTaskSchema,
  fileContentSchema,
  fileListSchema,
  healthSchema,
  LIMITS,
  newWebhookSchema,
  offeredKeySchema,
  problemSchema,
  projectInfoSchema,
  publishedSchema,
  publishSchema,
  readySchema,
  repliedSchema,
  replySchema,
  rolloutSchema,
  sandboxChangedSchema,
  sandboxEntrySchema,
  sandboxImportedSchema,
  sandboxSchema,
  sealedSecretSchema,
  sendControlSchema,
  sendMessageSchema,
  sentControlSchema,
  sentMessageSchema,
  serverListSchema,
  serverSchema,
  taskDiffSchema,
  taskEventSchema,
  taskSchema,
  webhookSchema,
  webhookWithSecretSchema,
} from '@switchyard/contracts'
import { z } from 'zod'

export const Problem = problemSchema.meta({ id: 'Problem' })
export const Task = taskSchema.meta({ id: 'Task' })
const TaskEvent = taskEventSchema.meta({ id: 'TaskEvent' })
export const SentMessage = sentMessageSchema.meta({ id: 'SentMessage' })
export const SentControl = sentControlSchema.meta({ id: 'SentControl' })
export const Replied = repliedSchema.meta({ id: 'Replied' })
export const FileList = fileListSchema.meta({ id: 'FileList' })
export const FileContent = fileContentSchema.meta({ id: 'FileContent' })
export const TaskDiff = taskDiffSchema.meta({ id: 'TaskDiff' })
export const Health = healthSchema.meta({ id: 'Health' })
export const Ready = readySchema.meta({ id: 'Ready' })

// Strict: a misspelled field is an error.
export const ExecuteTask = executeTaskSchema.strict().meta({
  id: 'ExecuteTask',
  examples: [
    {
      task_description: 'The test in sum.test.js fails. Find out why and correct it.',
      project: 'https://github.com/example/sums.git',
      idempotency_key: 'sums-1',
    },
  ],
})
export const SendMessage = sendMessageSchema
  .strict()
  .meta({ id: 'SendMessage', examples: [{ message: 'Keep the old function name.', message_type: 'correction' }] })
export const SendControl = sendControlSchema
  .strict()
  .meta({ id: 'SendControl', examples: [{ control: 'cancel', reason: 'no longer needed' }] })
export const Reply = replySchema.strict().meta({ id: 'Reply', examples: [{ reply: 'once' }] })

export const ProjectInfo = projectInfoSchema.meta({ id: 'ProjectInfo' })
export const DestroyedProject = destroyedProjectSchema.meta({ id: 'DestroyedProject' })
export const DeployKey = deployKeySchema.meta({ id: 'DeployKey' })
export const Duplicates = duplicatesSchema.meta({ id: 'Duplicates' })
export const Publish = publishSchema
  .strict()
  .meta({ id: 'Publish', examples: [{ branch: 'fix-sum', message: 'Correct the sum' }] })
export const Published = publishedSchema.meta({ id: 'Published' })

export const NewSandbox = createSandboxSchema
  .strict()
  .meta({ id: 'NewSandbox', examples: [{ name: 'try-it', branch: 'feature/try-it' }] })
export const Sandbox = sandboxSchema.meta({ id: 'Sandbox' })
const SandboxEntry = sandboxEntrySchema.meta({ id: 'SandboxEntry' })
export const SandboxList = z.object({ sandboxes: z.array(SandboxEntry), total: z.number().int() })
export const SandboxChanged = sandboxChangedSchema.meta({ id: 'SandboxChanged' })
export const SandboxImported = sandboxImportedSchema.meta({ id: 'SandboxImported' })

export const RolloutReport = rolloutSchema.meta({ id: 'Rollout' })
export const ChangeRollout = changeRolloutSchema.meta({
  id: 'ChangeRollout',
  examples: [{ percent: 10, reason: 'first 10 percent' }],
})

export const Server = serverSchema.meta({ id: 'Server' })
export const ServerList = serverListSchema.meta({ id: 'ServerList' })
export const OfferedKey = offeredKeySchema.meta({ id: 'OfferedKey' })
export const SealedSecret = sealedSecretSchema.strict().meta({ id: 'SealedSecret' })
export const ConfigureServer = configureServerSchema.meta({
  id: 'ConfigureServer',
  examples: [{ memory_limit_bytes: 2_147_483_648, environment: { OPENCODE_EXPERIMENTAL: '1' }, restart: true }],
})

export const TaskList = z
  .object({
    tasks: z.array(Task),
    next_cursor: z.string().nullable().describe('cursor of the next page; null on the last page'),
  })
  .meta({ id: 'TaskList' })

export const Delivery = deliverySchema.meta({ id: 'Delivery' })
export const DeliveryList = z
  .object({
    deliveries: z.array(Delivery),
    next_cursor: z.string().nullable().describe('cursor of the next page; null on the last page'),
  })
  .meta({ id: 'DeliveryList' })

export const NewWebhook = newWebhookSchema.strict().meta({
  id: 'NewWebhook',
  examples: [{ url: 'https://example.com/switchyard', event_types: ['task_completed', 'task_failed'] }],
})
export const Webhook = webhookSchema.meta({ id: 'Webhook' })
export const WebhookWithSecret = webhookWithSecretSchema.meta({ id: 'WebhookWithSecret' })
export const WebhookList = z.object({ webhooks: z.array(Webhook) }).meta({ id: 'WebhookList' })

export const EventPage = z
  .object({
    events: z.array(TaskEvent),
    last_seq: z.number().int().describe('number of the last event of the task'),
    has_more: z.boolean().describe('whether events after this page exist already'),
  })
  .meta({ id: 'EventPage' })

export const AllTaskEventsPage = z
  .object({
    events: z.array(TaskEvent),
    cursor: z.string().describe('send it as `after` for the next page, or as Last-Event-ID to a stream'),
    has_more: z.boolean().describe('whether more events can be read now'),
  })
  .meta({ id: 'StandingPage' })

export const TaskParams = z.object({
  id: z.string().meta({ description: 'The task id', examples: ['task_01K5A0Z9F6M2Q7R8S9T0V1W2X3'] }),
})

/** Returns the schema of an integer in a query string. */
export const queryInteger = (min: number, max: number) => z.coerce.number().int().min(min).max(max)

export const WaitMs = queryInteger(0, LIMITS.maxWaitMs)
  .optional()
  .meta({ description: 'Maximum time to wait for the task to end or to need input, in milliseconds' })
