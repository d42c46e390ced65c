// Webhook endpoints: destinations that receive events without a task naming them.

import { z } from 'zod'
import { QUIET_EVENT_TYPES } from './deliveries.ts'
import { eventTypeSchema } from './events.ts'

/** The body of a webhook call, signed as the Standard Webhooks specification says. */
export type WebhookBody = {
  /** An event type, or `webhook_test`. */
  readonly type: string
  /** When the event happened. */
  readonly timestamp: string
  readonly data: Readonly<Record<string, unknown>>
}

export const WEBHOOK_TEST = 'webhook_test'

export const PROGRESS_INTERVAL_MS = { fallback: 30_000, least: 1_000, most: 86_400_000 } as const

/** The URL of a webhook: http or https. The addresses of the host are checked at every delivery. */
export const webhookUrlSchema = z.url({ protocol: /^https?$/, hostname: /.+/ }).max(2_000)

export const newWebhookSchema = z.object({
  url: webhookUrlSchema.describe('URL that receives the events with POST'),
  description: z.string().trim().max(500).optional(),
  event_types: z
    .array(eventTypeSchema)
    .min(1)
    .optional()
    .describe(`Which events; default ${QUIET_EVENT_TYPES.join(', ')}`),
  agent_id: z.string().trim().min(1).max(200).optional().describe('Only events of tasks of this agent'),
  project: z
    .string()
    .trim()
    .min(1)
    .max(2_000)
    .optional()
    .describe('Only events of tasks on this project: its id, URL or path'),
  progress_interval_ms: z
    .number()
    .int()
    .min(PROGRESS_INTERVAL_MS.least)
    .max(PROGRESS_INTERVAL_MS.most)
    .optional()
    .describe('Minimum time between two task_progress events of a task, in milliseconds; default 30000'),
  escalation: z
    .boolean()
    .optional()
    .describe('Receives only requests that nobody has answered for REQUEST_ESCALATION_MS; excludes event_types'),
})
export type NewWebhook = z.infer<typeof newWebhookSchema>

export const webhookSchema = z.object({
  webhook_id: z.string(),
  url: z.string(),
  description: z.string().nullable(),
  event_types: z.array(z.string()),
  agent_id: z.string().nullable(),
  project_id: z.string().nullable(),
  progress_interval_ms: z.number().int(),
  escalation: z.boolean(),
  enabled: z.boolean(),
  disabled_reason: z.string().nullable(),
  created_at: z.iso.datetime(),
  previous_secret_expires_at: z.iso.datetime().nullable().describe('Until then, deliveries have two signatures'),
})
export type Webhook = z.infer<typeof webhookSchema>

export const webhookWithSecretSchema = webhookSchema.extend({
  secret: z.string().describe('Secret that verifies the signatures (whsec_…); it is shown only once'),
})
export type WebhookWithSecret = z.infer<typeof webhookWithSecretSchema>
