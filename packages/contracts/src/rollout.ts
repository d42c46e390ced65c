// The rollout: which mode and pool of OpenCode servers a new task gets, and how the tasks of each end.

import { z } from 'zod'
import type { ErrorCode } from './errors/catalogue.ts'
import { type Mode, modeSchema, type Pool, poolSchema } from './task.ts'

/** The task queues: one for each pool of OpenCode servers, and one for Docker mode. */
export const QUEUE_NAMES = ['blue', 'green', 'docker'] as const
export type QueueName = (typeof QUEUE_NAMES)[number]

export const queueNameOf = (task: { readonly mode: Mode; readonly pool: Pool | null }): QueueName =>
  task.mode === 'docker' ? 'docker' : (task.pool ?? 'blue')

/**
 * The failures that count against the mode and pool of a task: of its server, its disk, or Switchyard. Not included: failures of
 * the agent, the model, the repository or the caller, failures of what all share (database, queue), and `task_stuck`, which is as
 * often a command of the agent. A task that no worker started before its deadline counts too, see `compareSides`.
 */
export const INFRASTRUCTURE_CODES = [
  'opencode_unavailable',
  'opencode_error',
  'session_lost',
  'attempts_exhausted',
  'workspace_gone',
  'disk_full',
  'directory_unwritable',
  'docker_unavailable',
  'runner_image_missing',
  'runner_image_invalid',
  'container_failed',
  'container_gone',
  'container_silent',
  'configuration_invalid',
  'internal_error',
] as const satisfies readonly ErrorCode[]

const percent = z.number().int().min(0).max(100)

/** `percent`: the percentage applies and the breaker does nothing; a mode: every new task runs in it. */
export const fixedSchema = z.enum(['percent', 'opencode', 'docker'])
export type Fixed = z.infer<typeof fixedSchema>

/** Percentages that add up to 100. */
export const sharesSchema = z.strictObject({ blue: percent, green: percent })
export type Shares = z.infer<typeof sharesSchema>

export const changeRolloutSchema = z
  .strictObject({
    percent: percent.optional().describe('Percentage of agents whose new tasks run on OpenCode servers'),
    pools: sharesSchema
      .partial()
      .refine(({ blue, green }) => blue !== undefined || green !== undefined, 'names no pool')
      .refine(
        ({ blue, green }) => blue === undefined || green === undefined || blue + green === 100,
        'the shares do not add up to 100',
      )
      .optional()
      .describe('Percentage of each pool of OpenCode servers, 100 together; one implies the other. 0 drains a pool'),
    fixed: fixedSchema
      .nullable()
      .optional()
      .describe(
        'Overrides the breaker: `opencode` or `docker` sends every new task there; `percent` follows the percentage even if tasks fail. null enables the breaker again, closed and with its counts reset',
      ),
    reason: z
      .string()
      .trim()
      .min(1)
      .max(500)
      .refine((text) => !text.includes('\u0000'), 'contains a NUL character')
      .describe('Reason for the change; it is stored with it'),
  })
  .refine((change) => (change.percent ?? change.pools ?? change.fixed) !== undefined, {
    message: 'changes nothing: set percent, pools or fixed',
  })
export type ChangeRollout = z.infer<typeof changeRolloutSchema>

export const BREAKER_STATES = ['closed', 'open', 'half_open'] as const
export const breakerSchema = z.object({
  state: z
    .enum(BREAKER_STATES)
    .describe('open: new tasks go to the other mode; half_open: a few probe tasks go to the mode that failed'),
  side: modeSchema.nullable().describe('The mode that failed; null while closed'),
  since: z.iso.datetime(),
  reason: z.string().nullable(),
  probes: z.object({ sent: z.number().int(), needed: z.number().int() }),
  next_probe_at: z.iso.datetime().nullable().describe('When the first probe is sent; null unless open'),
})

const quantilesSchema = z.object({ p50: z.number().nullable(), p95: z.number().nullable() })

export const comparisonRowSchema = z.object({
  mode: modeSchema,
  pool: poolSchema.nullable(),
  tasks: z.number().int().describe('Tasks that ended'),
  completed: z.number().int(),
  failed: z.number().int(),
  timeout: z.number().int(),
  cancelled: z.number().int(),
  success_rate: z
    .number()
    .nullable()
    .describe('Completed tasks divided by tasks that were not cancelled, 0 to 1; null without tasks'),
  infrastructure_failures: z.number().int().describe('Failures that the breaker counts'),
  error_codes: z.record(z.string(), z.number().int()),
  first_event_ms: quantilesSchema.describe('From acceptance to the first event of the run, ms'),
  run_ms: quantilesSchema.describe('From the start of the run to its end, ms'),
})
export type ComparisonRow = z.infer<typeof comparisonRowSchema>

const comparisonSchema = z.object({
  since: z.iso.datetime(),
  truncated: z.boolean().describe('True if more tasks ended than are counted; the latest are counted'),
  sides: z.array(comparisonRowSchema),
})

export const rolloutSchema = z.object({
  percent,
  pools: sharesSchema,
  fixed: fixedSchema.nullable(),
  server_enabled: z.boolean().describe('OPENCODE_SERVER_ENABLED; false sends every task to Docker mode'),
  changed: z.object({ at: z.iso.datetime(), by: z.string(), reason: z.string() }),
  breaker: breakerSchema,
  sides: z
    .array(
      z.object({
        mode: modeSchema,
        pool: poolSchema.nullable(),
        share: z.number().describe('Percentage of new tasks, from the settings above and the breaker'),
        state: z.enum(['active', 'draining', 'drained', 'no_worker']),
        live_workers: z.number().int().describe('Workers that can run its tasks now'),
        queued: z.number().int(),
        running: z.number().int(),
      }),
    )
    .describe('The current state of each mode and pool'),
  warnings: z.array(z.string()).describe('Where the state differs from the settings, and why'),
  window_ms: z.number().int(),
  window: comparisonSchema.describe('Tasks that ended within window_ms'),
  since_change: comparisonSchema.describe('Tasks that ended since the last change'),
  history: z
    .array(
      z.object({
        at: z.iso.datetime(),
        by: z.string().describe('Name of a key, `breaker` or `environment`'),
        reason: z.string(),
        percent,
        pools: sharesSchema,
        fixed: fixedSchema.nullable(),
        breaker: z.enum(BREAKER_STATES),
        breaker_side: modeSchema.nullable(),
      }),
    )
    .describe('The latest changes, newest first, each with the settings after it'),
})
export type RolloutReport = z.infer<typeof rolloutSchema>
