// Ids: a prefix that names the kind, and a ULID from the system's random source.

import { randomBytes } from 'node:crypto'
import { monotonicFactory } from 'ulid'
import { z } from 'zod'

export type TaskId = `task_${string}`
export type RequestId = `req_${string}`
export type MessageId = `msg_${string}`
export type WorkerId = `worker_${string}`
export type CallId = `call_${string}`
export type WebhookId = `wh_${string}`

/** Returns a number in [0, 1) from the CSPRNG, in the form that `ulid` expects. */
const random = (): number => randomBytes(4).readUInt32BE(0) / 2 ** 32

const ulid = monotonicFactory(random)

export const newTaskId = (): TaskId => `task_${ulid()}`
export const newRequestId = (): RequestId => `req_${ulid()}`
export const newMessageId = (): MessageId => `msg_${ulid()}`
export const newWorkerId = (): WorkerId => `worker_${ulid()}`
export const newCallId = (): CallId => `call_${ulid()}`
export const newWebhookId = (): WebhookId => `wh_${ulid()}`

const ULID = '[0-9A-HJKMNP-TV-Z]{26}'

export const taskIdSchema = z
  .templateLiteral(['task_', z.string()])
  .refine((id) => new RegExp(`^task_${ULID}$`).test(id), 'not a task id: task_ and 26 base-32 characters')
