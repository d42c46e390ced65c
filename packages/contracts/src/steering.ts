// What a caller can send to a running task: messages, controls, replies.

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
  message: text.describe('The message; the agent reads it at its next step'),
  message_type: messageTypeSchema.optional().describe('Default: update'),
  metadata: metadataSchema.optional(),
})
export type SendMessage = z.infer<typeof sendMessageSchema>

export const sentMessageSchema = z.object({
  task_id: z.string(),
  message_id: z.string(),
  delivered: z.boolean().describe('True once the session has the message; false while it waits for the session to run'),
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
      'done: in effect; requested: the worker has not acted yet; already: it was in effect before; already_ended: the task has ended; not_possible: see status',
    ),
  status: statusSchema,
})
export type SentControl = z.infer<typeof sentControlSchema>

/** For a permission: `once`, `always` (in this task), `reject`. For a question: one list of labels or own text for each question. */
export const replySchema = z.object({
  reply: z.union([
    z.enum(['once', 'always', 'reject']),
    z.array(z.array(z.string().max(10_000)).max(20)).max(20),
    z.string().max(10_000),
  ]),
  message: text.optional().describe('With reject: the reason; the agent reads it'),
})
export type Reply = z.infer<typeof replySchema>

export const repliedSchema = z.object({ task_id: z.string(), request_id: z.string(), status: statusSchema })
export type Replied = z.infer<typeof repliedSchema>
