// The events of a task: numbered from 1 without gaps, never changed once written.

import { z } from 'zod'

export const EVENT_TYPES = [
  'task_queued',
  'task_started',
  'task_progress',
  'task_message',
  'task_control',
  'task_paused',
  'task_resumed',
  'task_input_required',
  'task_input_answered',
  'task_recovered',
  'task_artifact',
  'task_completed',
  'task_failed',
  'task_timeout',
  'task_cancelled',
] as const

export const eventTypeSchema = z.enum(EVENT_TYPES)
export type EventType = z.infer<typeof eventTypeSchema>

export const taskEventSchema = z.object({
  seq: z.number().int().min(1).describe('Number of the event in its task, from 1 without gaps'),
  task_id: z.string(),
  type: eventTypeSchema,
  timestamp: z.iso.datetime(),
  message: z.string().describe('What happened, in words'),
  data: z.record(z.string(), z.unknown()).describe('What happened, as data'),
})
export type TaskEvent = z.infer<typeof taskEventSchema>

/** A piece of text as the model writes it: live only, without a number, never stored. */
export const taskDeltaSchema = z.object({
  task_id: z.string(),
  session_id: z.string(),
  part_id: z.string(),
  field: z.string().describe('`text` or `reasoning`'),
  delta: z.string(),
})
export type TaskDelta = z.infer<typeof taskDeltaSchema>

/** An event that is not numbered yet. `source_key` names its origin: the same key is written once per task. */
export type NewEvent = {
  readonly type: EventType
  readonly message: string
  readonly data: Readonly<Record<string, unknown>>
  readonly source_key?: string
}
