// Deliveries: notifications to destinations outside Switchyard, and why one failed.

import { z } from 'zod'
import type { EventType } from './events.ts'

/** The events that a destination receives by default: those of interest to most people. */
export const QUIET_EVENT_TYPES = [
  'task_started',
  'task_input_required',
  'task_completed',
  'task_failed',
  'task_timeout',
  'task_cancelled',
] as const satisfies readonly EventType[]

/** The events a calling agent receives: when it must act, and how the task ended. */
export const AGENT_EVENT_TYPES = [
  'task_input_required',
  'task_completed',
  'task_failed',
  'task_timeout',
  'task_cancelled',
] as const satisfies readonly EventType[]

/** The form of a Letta agent id. An agent with such an id is notified through Letta. */
export const LETTA_AGENT_ID = /^agent-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

/** Why a delivery failed, and how to fix it. `final`: another attempt would fail too. */
type FailureKind = { readonly final: boolean; readonly hint: string }

export const DELIVERY_FAILURES = {
  target_not_allowed: {
    final: true,
    hint: 'The target is a private, loopback, link-local or metadata address. Use a public one, or set WEBHOOK_ALLOW_PRIVATE_TARGETS=true where that is meant, and send it again with POST /deliveries/{id}/retry.',
  },
  target_not_found: { final: false, hint: 'The name has no address in DNS; check the host in the URL.' },
  connection_failed: { final: false, hint: 'Nothing answers there; check the host, the port, and that it is up.' },
  tls_failed: { final: false, hint: 'The TLS certificate is not valid for that host; renew or correct it.' },
  timed_out: {
    final: false,
    hint: 'Answer with 2xx at once and do the work afterwards; an answer has WEBHOOK_TIMEOUT_MS to come.',
  },
  too_many_redirects: { final: false, hint: 'Register the URL that the redirects lead to.' },
  unauthorized: { final: false, hint: 'The target refused the call (401 or 403); check which credentials it expects.' },
  endpoint_not_found: { final: false, hint: 'The target answers 404; check the path of the URL.' },
  gone: { final: true, hint: 'The target answered 410: it wants no more. Enable the endpoint again if it does.' },
  rate_limited: { final: false, hint: 'The target asks for fewer calls (429); it is tried again when it says.' },
  http_error: { final: false, hint: 'The target answered with a failure; its own log says why.' },
  secret_missing: {
    final: true,
    hint: 'Set WEBHOOK_SECRET, with which callback_url is signed, and send it again with POST /deliveries/{id}/retry.',
  },
  endpoint_disabled: {
    final: true,
    hint: 'Enable the endpoint with POST /webhooks/{id}/enable, then send it again with POST /deliveries/{id}/retry.',
  },
  matrix_not_configured: {
    final: true,
    hint: 'Set MATRIX_HOMESERVER_URL and MATRIX_ACCESS_TOKEN for the notifier, then send it again with POST /deliveries/{id}/retry.',
  },
  matrix_token_invalid: {
    final: false,
    hint: 'Log the bot in again, set its new MATRIX_ACCESS_TOKEN, and start the notifier again: what waits is sent then.',
  },
  matrix_room_unavailable: {
    final: false,
    hint: 'Check MATRIX_ROOM_ID and MATRIX_ROOMS, and invite the bot into the room. It is tried again; POST /deliveries/{id}/retry does so at once. A task stays in the room in which it began.',
  },
  matrix_not_allowed_to_post: {
    final: false,
    hint: 'Give the bot a power level in the room that may send messages, then send it again with POST /deliveries/{id}/retry.',
  },
  matrix_room_encrypted: {
    final: true,
    hint: 'Encrypted rooms are not supported, and encryption cannot be switched off: make a room without it and name that one in MATRIX_ROOM_ID or MATRIX_ROOMS.',
  },
  matrix_refused: {
    final: false,
    hint: 'The homeserver refused the message; the error names why, and its own log says more.',
  },
  event_gone: { final: true, hint: 'The task’s record or event is past its retention; nothing is left to send.' },
  agent_busy: { final: false, hint: 'The agent is at work on something else; it gets the message once it is idle.' },
  agent_in_call: {
    final: false,
    hint: 'The agent waits within a call for this very task. It gets the answer there; if it does not, the message is sent.',
  },
  agent_not_found: {
    final: true,
    hint: 'Letta has no agent with the agent_id of the task, or LETTA_API_TOKEN is for another organization. Once it has one, send it again with POST /deliveries/{id}/retry.',
  },
  agent_run_failed: {
    final: false,
    hint: 'Letta took the message and its run failed before the agent had it; the run in Letta says why (a model without credit, a tool call that waits for approval).',
  },
  letta_token_refused: {
    final: false,
    hint: 'Letta refused the token (401 or 403): it is missing, wrong or expired. Set LETTA_API_TOKEN and restart the notifier; what waits is sent then.',
  },
  letta_not_there: {
    final: false,
    hint: 'Something answers at LETTA_API_URL, and it is no Letta API: give its base URL, without /v1 (https://api.letta.com, http://letta:8283), and restart the notifier.',
  },
  letta_disabled: {
    final: true,
    hint: 'Set LETTA_API_URL for the notifier, then send it again with POST /deliveries/{id}/retry.',
  },
  seen_in_call: { final: true, hint: 'Nothing is to be done: the agent read this in the answer to a call of its own.' },
  no_longer_asked: { final: true, hint: 'Nothing to do: the request was answered before the agent was notified.' },
  given_up: { final: true, hint: 'No attempt arrived for DELIVERY_GIVE_UP_MS; see to the target, then send it again.' },
} as const satisfies Record<string, FailureKind>

export type DeliveryFailureCode = keyof typeof DELIVERY_FAILURES

const failureCodes = Object.keys(DELIVERY_FAILURES) as [DeliveryFailureCode, ...DeliveryFailureCode[]]

/** A failure as it is stored; the hint is added when it is returned. */
export type DeliveryFailure = {
  readonly code: DeliveryFailureCode
  readonly message: string
  readonly http_status: number | null
}

export const DELIVERY_STATES = ['pending', 'delivered', 'skipped', 'dead'] as const
export const deliveryStateSchema = z.enum(DELIVERY_STATES)
export type DeliveryState = z.infer<typeof deliveryStateSchema>

export const deliverySchema = z.object({
  delivery_id: z
    .string()
    .describe('Sent as webhook-id, or as the transaction id in Matrix; the same for every attempt'),
  state: deliveryStateSchema.describe(
    'pending: waiting to be sent or retried; skipped: no longer needed; dead: not sent again unless you retry it',
  ),
  task_id: z.string().nullable().describe('Null for a test'),
  seq: z.number().int().nullable().describe('The number of the event in its task'),
  type: z.string().describe('The type of the event; webhook_test for a test'),
  destination: z
    .string()
    .describe('`callback` for the callback_url of the task, `letta` for its agent, `matrix`, or the id of a webhook'),
  attempts: z.number().int(),
  created_at: z.iso.datetime(),
  last_attempt_at: z.iso.datetime().nullable(),
  next_attempt_at: z.iso.datetime().nullable().describe('When it is sent next; null unless pending'),
  delivered_at: z.iso.datetime().nullable(),
  failure: z
    .object({
      code: z.enum(failureCodes),
      message: z.string(),
      hint: z.string(),
      http_status: z.number().int().nullable(),
    })
    .nullable()
    .describe('Why the last attempt failed'),
})
export type Delivery = z.infer<typeof deliverySchema>
