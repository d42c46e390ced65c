// The environment as one frozen, typed object. Nothing else in Switchyard reads process.env.

import { cpus } from 'node:os'
import path from 'node:path'
import { SwitchyardError } from '@switchyard/contracts'
import { z } from 'zod'
import { type ApiKey, apiKeys } from './keys.ts'
import { flag, integer, text, url, webhookSecret } from './parse.ts'

const DAY_MS = 86_400_000

const model = z.preprocess(
  (value) => (value === '' ? undefined : value),
  z
    .string()
    .regex(/^[^/\s]+\/\S+$/, 'is not provider/model')
    .optional(),
)

const environment = z.object({
  PORT: integer(3456, 0, 65_535),
  HOST: text(),
  WORKER_PORT: integer(3457, 0, 65_535),
  DATABASE_URL: url('postgres', 'postgresql'),
  REDIS_URL: url('redis', 'rediss'),
  SWITCHYARD_HOME: text(),
  SWITCHYARD_API_KEYS: z.preprocess((value) => value ?? '', apiKeys),
  SWITCHYARD_ALLOW_NO_AUTH: flag(false),
  OPENCODE_SERVER_URL: url('http', 'https'),
  OPENCODE_SERVER_PASSWORD: text(),
  OPENCODE_SERVER_HEALTH_CHECK_INTERVAL_MS: integer(5_000, 100, 600_000),
  OPENCODE_SERVER_MAX_RETRIES: integer(3, 0, 100),
  OPENCODE_SERVER_RETRY_DELAY_MS: integer(1_000, 10, 600_000),
  DEFAULT_MODEL: model,
  MAX_CONCURRENT_TASKS: integer(Math.max(4, cpus().length * 4), 1, 1_000),
  TASK_TIMEOUT_MS: integer(30 * 60_000, 1_000, 7 * DAY_MS),
  TASK_QUEUE_TIMEOUT_MS: integer(DAY_MS, 1_000, 30 * DAY_MS),
  REQUEST_TIMEOUT_MS: integer(30 * 60_000, 1_000, 7 * DAY_MS),
  REQUEST_ESCALATION_MS: integer(10 * 60_000, 1_000, 7 * DAY_MS),
  TASK_STUCK_MS: integer(10 * 60_000, 1_000, 7 * DAY_MS),
  MAX_QUEUED_TASKS: integer(10_000, 0, 10_000_000),
  MAX_RUNNING_TASKS: integer(0, 0, 100_000),
  MAX_RUNNING_PER_SERVER: integer(0, 0, 100_000),
  MAX_RUNNING_PER_PROJECT: integer(0, 0, 100_000),
  MAX_RUNNING_PER_AGENT: integer(0, 0, 100_000),
  WORKSPACE_RETENTION_MS: integer(7 * DAY_MS, 0, 3_650 * DAY_MS),
  EVENT_RETENTION_MS: integer(30 * DAY_MS, 0, 3_650 * DAY_MS),
  RECORD_RETENTION_MS: integer(90 * DAY_MS, 0, 3_650 * DAY_MS),
  WORKSPACES_DIR: text(),
  NOTIFIER_PORT: integer(3458, 0, 65_535),
  WEBHOOK_SECRET: webhookSecret(),
  WEBHOOK_ALLOW_PRIVATE_TARGETS: flag(false),
  WEBHOOK_TIMEOUT_MS: integer(15_000, 100, 120_000),
  DELIVERY_RETRY_DELAY_MS: integer(5_000, 10, 3_600_000),
  DELIVERY_GIVE_UP_MS: integer(3 * DAY_MS, 1_000, 30 * DAY_MS),
  LOG_LEVEL: z.preprocess(
    (value) => (value === '' ? undefined : value),
    z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']).default('info'),
  ),
})

/** The names of all variables that are read. */
export const VARIABLES: readonly string[] = Object.keys(environment.shape)

export type Config = Readonly<{
  home: string
  workspacesDir: string
  api: Readonly<{ port: number; host: string; keys: readonly ApiKey[]; allowNoAuth: boolean }>
  worker: Readonly<{ port: number; maxConcurrentTasks: number }>
  databaseUrl: string | undefined
  redisUrl: string | undefined
  opencode: Readonly<{
    url: string | undefined
    password: string | undefined
    healthCheckIntervalMs: number
    maxRetries: number
    retryDelayMs: number
    /** What a supervised server inherits: the caller's own environment without what is ours alone. */
    inherited: Readonly<Record<string, string>>
  }>
  tasks: Readonly<{
    defaultModel: string | undefined
    timeoutMs: number
    queueTimeoutMs: number
    requestTimeoutMs: number
    /** Without any sign of work for so long a turn is nudged, and after as long again stopped, ms. */
    stuckMs: number
    /** 0: no limit, here and below. */
    maxQueued: number
  }>
  /** Tasks that are prepared, run or wait for an answer at once. */
  limits: Readonly<{ total: number; perServer: number; perProject: number; perAgent: number }>
  /** How long things stay after a task has ended, ms. */
  retention: Readonly<{ workspacesMs: number; eventsMs: number; recordsMs: number }>
  notifier: Readonly<{
    port: number
    /** The wait after the first failed attempt, ms; it grows from there. */
    retryDelayMs: number
    /** From when a delivery is tried no more, ms after the event. */
    giveUpMs: number
    /** After so long without an answer a request is repeated to those who are there for it, ms. */
    escalationMs: number
  }>
  webhooks: Readonly<{
    /** Signs the calls of `callback_url`. */
    secret: string | undefined
    allowPrivateTargets: boolean
    timeoutMs: number
  }>
  log: Readonly<{ level: string }>
}>

const LOOPBACK = new Set(['127.0.0.1', '::1', 'localhost'])

export const isLoopback = (host: string): boolean => LOOPBACK.has(host)

/** Everything that opens a door of ours: it must not reach the agent, which can read its server's environment. */
const OURS =
  /^(SWITCHYARD_|DATABASE_URL$|REDIS_URL$|MATRIX_|LETTA_|WEBHOOK_|PG[A-Z]+$|POSTGRES_|OPENCODE_SERVER_|OPENCODE_ROLLOUT_|DEFAULT_MODEL$|PORT$|HOST$|npm_)/

const inheritedBy = (env: NodeJS.ProcessEnv): Record<string, string> =>
  Object.fromEntries(
    Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined && !OURS.test(entry[0])),
  )

/**
 * Reads and checks the environment.
 *
 * @throws SwitchyardError `configuration_invalid`, naming every variable that is wrong and why.
 * @example const config = loadConfig(process.env)
 */
export const loadConfig = (env: NodeJS.ProcessEnv = process.env): Config => {
  const parsed = environment.safeParse(env)
  if (!parsed.success) throw invalid(parsed.error.issues.map((issue) => `${issue.path.join('.')} ${issue.message}`))
  const vars = parsed.data
  const home = path.resolve(vars.SWITCHYARD_HOME ?? '.switchyard')
  const host = vars.HOST ?? '127.0.0.1'
  const problems: string[] = []
  if (!isLoopback(host) && vars.SWITCHYARD_API_KEYS.length === 0 && !vars.SWITCHYARD_ALLOW_NO_AUTH)
    problems.push(
      `HOST is ${host}, which others can reach, and SWITCHYARD_API_KEYS is not set; set keys, or SWITCHYARD_ALLOW_NO_AUTH=true where another layer guards the port`,
    )
  if (
    vars.OPENCODE_SERVER_URL &&
    !vars.OPENCODE_SERVER_PASSWORD &&
    !isLoopback(new URL(vars.OPENCODE_SERVER_URL).hostname)
  )
    problems.push(
      'OPENCODE_SERVER_URL names another host and OPENCODE_SERVER_PASSWORD is not set: that server would be open to anyone',
    )
  if (vars.REDIS_URL && !vars.DATABASE_URL)
    problems.push('REDIS_URL is set and DATABASE_URL is not: the stack needs both')
  if (problems.length > 0) throw invalid(problems)
  return Object.freeze({
    home,
    workspacesDir: path.resolve(vars.WORKSPACES_DIR ?? path.join(home, 'workspaces')),
    api: Object.freeze({
      port: vars.PORT,
      host,
      keys: vars.SWITCHYARD_API_KEYS,
      allowNoAuth: vars.SWITCHYARD_ALLOW_NO_AUTH,
    }),
    worker: Object.freeze({ port: vars.WORKER_PORT, maxConcurrentTasks: vars.MAX_CONCURRENT_TASKS }),
    databaseUrl: vars.DATABASE_URL,
    redisUrl: vars.REDIS_URL,
    opencode: Object.freeze({
      url: vars.OPENCODE_SERVER_URL,
      password: vars.OPENCODE_SERVER_PASSWORD,
      healthCheckIntervalMs: vars.OPENCODE_SERVER_HEALTH_CHECK_INTERVAL_MS,
      maxRetries: vars.OPENCODE_SERVER_MAX_RETRIES,
      retryDelayMs: vars.OPENCODE_SERVER_RETRY_DELAY_MS,
      inherited: Object.freeze(inheritedBy(env)),
    }),
    tasks: Object.freeze({
      defaultModel: vars.DEFAULT_MODEL,
      timeoutMs: vars.TASK_TIMEOUT_MS,
      queueTimeoutMs: vars.TASK_QUEUE_TIMEOUT_MS,
      requestTimeoutMs: vars.REQUEST_TIMEOUT_MS,
      stuckMs: vars.TASK_STUCK_MS,
      maxQueued: vars.MAX_QUEUED_TASKS,
    }),
    limits: Object.freeze({
      total: vars.MAX_RUNNING_TASKS,
      perServer: vars.MAX_RUNNING_PER_SERVER,
      perProject: vars.MAX_RUNNING_PER_PROJECT,
      perAgent: vars.MAX_RUNNING_PER_AGENT,
    }),
    retention: Object.freeze({
      workspacesMs: vars.WORKSPACE_RETENTION_MS,
      eventsMs: vars.EVENT_RETENTION_MS,
      recordsMs: vars.RECORD_RETENTION_MS,
    }),
    notifier: Object.freeze({
      port: vars.NOTIFIER_PORT,
      retryDelayMs: vars.DELIVERY_RETRY_DELAY_MS,
      giveUpMs: vars.DELIVERY_GIVE_UP_MS,
      escalationMs: vars.REQUEST_ESCALATION_MS,
    }),
    webhooks: Object.freeze({
      secret: vars.WEBHOOK_SECRET,
      allowPrivateTargets: vars.WEBHOOK_ALLOW_PRIVATE_TARGETS,
      timeoutMs: vars.WEBHOOK_TIMEOUT_MS,
    }),
    log: Object.freeze({ level: vars.LOG_LEVEL }),
  })
}

const invalid = (problems: readonly string[]): SwitchyardError =>
  new SwitchyardError('configuration_invalid', problems.join('; '), { context: { problems } })
