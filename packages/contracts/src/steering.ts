// What a caller can say to a running task: messages, controls, answers.

import { z } from 'zod'
import { LIMITS, metadataSchema, statusSchema } from './task.ts'
import { hasNoNul } from './text.ts'

export const MESSAGE_TYPES = [
  'update',
  'feedback',
  'context_change',
  'requirement_change',
  'priority_change',
  'clarification',
  'correction',
  'guidance',
  'approval',
] as const
export const messageTypeSchema = z.enum(MESSAGE_TYPES)
export type MessageType = z.infer<typeof messageTypeSchema>

const text = z
  .string()
  .refine((value) => value.trim().length > 0, 'is empty')
  .refine(
    (value) => Buffer.byteLength(value, 'utf8') <= LIMITS.messageBytes,
    `larger than ${LIMITS.messageBytes} bytes`,
  )
  .refine(hasNoNul, 'contains a NUL character')

export const sendMessageSchema = z.object({
  message: text.describe('Read by the agent at its next step'),
  message_type: messageTypeSchema.optional().describe('Default: update'),
  metadata: metadataSchema.optional(),
})
export type SendMessage = z.infer<typeof sendMessageSchema>

export const sentMessageSchema = z.object({
  task_id: z.string(),
  message_id: z.string(),
  delivered: z.boolean().describe('true once the session has it; false: kept, and given to the session when it runs'),
})
export type SentMessage = z.infer<typeof sentMessageSchema>

export const CONTROLS = ['cancel', 'pause', 'resume'] as const
export const controlSchema = z.enum(CONTROLS)
export type Control = z.infer<typeof controlSchema>

export const sendControlSchema = z.object({
  control: controlSchema,
  reason: z.string().trim().max(2_000).optional(),
})
export type SendControl = z.infer<typeof sendControlSchema>

export const OUTCOMES = ['done', 'requested', 'already', 'already_ended', 'not_possible'] as const
export const sentControlSchema = z.object({
  task_id: z.string(),
  control: controlSchema,
  outcome: z
    .enum(OUTCOMES)
    .describe(
      'done: in force now; requested: the worker is at it; already: it was so before; already_ended: the task had ended; not_possible: see the status',
    ),
  status: statusSchema,
})
export type SentControl = z.infer<typeof sentControlSchema>

/** A permission: `once`, `always` (this task only), `reject`. A question: the answers, one list of labels or free words for each question. */
export const replySchema = z.object({
  reply: z.union([
    z.enum(['once', 'always', 'reject']),
    z.array(z.array(z.string().max(10_000)).max(20)).max(20),
    z.string().max(10_000),
  ]),
  message: text.optional().describe('With reject: the reason, which the agent reads'),
})
export type Reply = z.infer<typeof replySchema>

export const repliedSchema = z.object({ task_id: z.string(), request_id: z.string(), status: statusSchema })
export type Replied = z.infer<typeof repliedSchema>
