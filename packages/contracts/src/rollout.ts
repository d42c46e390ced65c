// The rollout: which mode and which pool of OpenCode servers a new task gets, and how both do.

import { z } from 'zod'
import type { ErrorCode } from './errors/catalogue.ts'
import { type Mode, modeSchema, type Pool, poolSchema } from './task.ts'

/** The task queues: one for each pool of OpenCode servers, and one for tasks that run in a container each. */
export const QUEUE_NAMES = ['blue', 'green', 'docker'] as const
export type QueueName = (typeof QUEUE_NAMES)[number]

export const queueNameOf = (task: { readonly mode: Mode; readonly pool: Pool | null }): QueueName =>
  task.mode === 'docker' ? 'docker' : (task.pool ?? 'blue')

/**
 * Failures that say something of the side a task ran on: its server, its disk, our own fault. Not here: what the agent, the model,
 * the repository or the caller brought about, what both sides share (database, queue), and `task_stuck`, which is as often
 * the agent's own command. A task that no worker took before its deadline counts too, see `compareSides`.
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

/** `percent`: the percentage holds and the breaker does nothing; a mode: every new task goes there. */
export const fixedSchema = z.enum(['percent', 'opencode', 'docker'])
export type Fixed = z.infer<typeof fixedSchema>

/** Shares in percent; they make 100. */
export const sharesSchema = z.strictObject({ blue: percent, green: percent })
export type Shares = z.infer<typeof sharesSchema>

export const changeRolloutSchema = z
  .strictObject({
    percent: percent.optional().describe('How many agents of a hundred have their new tasks run on OpenCode servers'),
    pools: sharesSchema
      .partial()
      .refine(({ blue, green }) => blue !== undefined || green !== undefined, 'names no pool')
      .refine(
        ({ blue, green }) => blue === undefined || green === undefined || blue + green === 100,
        'the shares do not make 100',
      )
      .optional()
      .describe('The share of each pool of OpenCode servers, together 100; one alone says the other. 0 drains a pool'),
    fixed: fixedSchema
      .nullable()
      .optional()
      .describe(
        'By hand instead of the breaker: every new task to `opencode` or `docker`, or by the percentage whatever fails (`percent`). null: the breaker is back, closed and with nothing counted',
      ),
    reason: z
      .string()
      .trim()
      .min(1)
      .max(500)
      .refine((text) => !text.includes('\u0000'), 'contains a NUL character')
      .describe('Why; it is kept with the change'),
  })
  .refine((change) => (change.percent ?? change.pools ?? change.fixed) !== undefined, {
    message: 'changes nothing: give percent, pools or fixed',
  })
export type ChangeRollout = z.infer<typeof changeRolloutSchema>

export const BREAKER_STATES = ['closed', 'open', 'half_open'] as const
export const breakerSchema = z.object({
  state: z
    .enum(BREAKER_STATES)
    .describe('open: new tasks go to the other side; half_open: a few probes go to the side that failed'),
  side: modeSchema.nullable().describe('the side that failed; null while closed'),
  since: z.iso.datetime(),
  reason: z.string().nullable(),
  probes: z.object({ sent: z.number().int(), needed: z.number().int() }),
  next_probe_at: z.iso.datetime().nullable().describe('while open: when it begins to probe'),
})

const quantilesSchema = z.object({ p50: z.number().nullable(), p95: z.number().nullable() })

export const comparisonRowSchema = z.object({
  mode: modeSchema,
  pool: poolSchema.nullable(),
  tasks: z.number().int().describe('that ended'),
  completed: z.number().int(),
  failed: z.number().int(),
  timeout: z.number().int(),
  cancelled: z.number().int(),
  success_rate: z
    .number()
    .nullable()
    .describe('share of completed tasks among those not cancelled, 0 to 1; null without any'),
  infrastructure_failures: z.number().int().describe('what the breaker counts'),
  error_codes: z.record(z.string(), z.number().int()),
  first_event_ms: quantilesSchema.describe('from its acceptance to the first event of its run'),
  run_ms: quantilesSchema.describe('from the moment a worker took it to its end'),
})
export type ComparisonRow = z.infer<typeof comparisonRowSchema>

const comparisonSchema = z.object({
  since: z.iso.datetime(),
  truncated: z.boolean().describe('more tasks have ended than are looked at; these are the latest'),
  sides: z.array(comparisonRowSchema),
})

export const rolloutSchema = z.object({
  percent,
  pools: sharesSchema,
  fixed: fixedSchema.nullable(),
  server_enabled: z.boolean().describe('OPENCODE_SERVER_ENABLED: false sends every task to docker'),
  changed: z.object({ at: z.iso.datetime(), by: z.string(), reason: z.string() }),
  breaker: breakerSchema,
  sides: z
    .array(
      z.object({
        mode: modeSchema,
        pool: poolSchema.nullable(),
        share: z.number().describe('percent of new tasks, by the settings above and the breaker'),
        state: z.enum(['active', 'draining', 'drained', 'no_worker']),
        live_workers: z.number().int().describe('that report in and can run its tasks now'),
        queued: z.number().int(),
        running: z.number().int(),
      }),
    )
    .describe('every side as it is now'),
  warnings: z.array(z.string()).describe('what does not go as the settings say, and why'),
  window_ms: z.number().int(),
  window: comparisonSchema.describe('tasks that ended within window_ms'),
  since_change: comparisonSchema.describe('tasks that ended since the last change'),
  history: z
    .array(
      z.object({
        at: z.iso.datetime(),
        by: z.string().describe('the name of a key, `breaker`, or `environment`'),
        reason: z.string(),
        percent,
        pools: sharesSchema,
        fixed: fixedSchema.nullable(),
        breaker: z.enum(BREAKER_STATES),
        breaker_side: modeSchema.nullable(),
      }),
    )
    .describe('the latest changes, newest first, each with what held after it'),
})
export type RolloutReport = z.infer<typeof rolloutSchema>
