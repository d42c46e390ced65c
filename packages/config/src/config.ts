// The environment as one frozen, typed object. Nothing else in Switchyard reads process.env.

import { cpus } from 'node:os'
import path from 'node:path'
import { MIN_SERVER_MEMORY, MODEL_NAME, SwitchyardError } from '@switchyard/contracts'
import { z } from 'zod'
import { certificatesFile } from './certificates.ts'
import { type GitToken, gitTokens, gitTokensFile } from './git-tokens.ts'
import { type ApiKey, apiKeys } from './keys.ts'
import { type MatrixSettings, matrixSettings, matrixVariables } from './matrix.ts'
import { decimal, flag, integer, optionalInteger, size, text, url, webhookSecret } from './parse.ts'
import { type Part, secretProblems } from './production.ts'
import { providerVariables } from './provider-variables.ts'

const DAY_MS = 86_400_000
const MEBIBYTE = 1_048_576
/** The image of Dockerfile.opencode, as compose.yaml names it. */
const RUNNER_IMAGE = 'switchyard/opencode:1.18.33'

const model = z.preprocess(
  (value) => (value === '' ? undefined : value),
  z.string().regex(MODEL_NAME, 'is not provider/model').optional(),
)

const entries = (value: unknown): readonly string[] =>
  typeof value === 'string'
    ? value
        .split(',')
        .map((entry) => entry.trim())
        .filter((entry) => entry !== '')
    : []

const hostPorts = z.preprocess(entries, z.array(z.string().regex(/^[^\s/:]+:\d{1,5}$/, 'is not host:port')))

const addresses = z.preprocess(
  entries,
  z.array(z.union([z.ipv4(), z.ipv6(), z.cidrv4(), z.cidrv6()], 'is neither an address nor a network')),
)

/** The sets of MCP tools; `/mcp/<set>` serves one of them. */
export const TOOLSETS = ['tasks', 'projects', 'sessions'] as const
export type Toolset = (typeof TOOLSETS)[number]

const toolsets = z.preprocess(
  (value) =>
    typeof value === 'string' && value.trim() !== ''
      ? value.split(',').map((entry) => entry.trim())
      : ['tasks', 'projects'],
  z.array(z.enum(TOOLSETS, `holds something else than ${TOOLSETS.join(', ')}`)).min(1),
)

const environment = z.object({
  NODE_ENV: text(),
  PORT: integer(3456, 0, 65_535),
  HOST: text(),
  WORKER_PORT: integer(3457, 0, 65_535),
  DATABASE_URL: url('postgres', 'postgresql'),
  REDIS_URL: url('redis', 'rediss'),
  SWITCHYARD_HOME: text(),
  SWITCHYARD_API_KEYS: z.preprocess((value) => value ?? '', apiKeys),
  SWITCHYARD_ALLOW_NO_AUTH: flag(false),
  MCP_TOOLSETS: toolsets,
  MCP_LEGACY_TOOLS: flag(false),
  OPENCODE_SERVER_ENABLED: flag(true),
  OPENCODE_ROLLOUT_PERCENT: integer(100, 0, 100),
  OPENCODE_ROLLOUT_WINDOW_MS: integer(5 * 60_000, 1_000, DAY_MS),
  OPENCODE_ROLLOUT_MIN_TASKS: integer(10, 1, 100_000),
  OPENCODE_ROLLOUT_FAILURE_PERCENT: integer(30, 1, 100),
  OPENCODE_ROLLOUT_COOLDOWN_MS: integer(60_000, 100, DAY_MS),
  OPENCODE_ROLLOUT_PROBES: integer(3, 1, 1_000),
  OPENCODE_POOL: z.preprocess(
    (value) => (value === '' ? undefined : value),
    z.enum(['blue', 'green'], 'is neither blue nor green').default('blue'),
  ),
  OPENCODE_SERVER_URL: url('http', 'https'),
  OPENCODE_SERVER_PASSWORD: text(),
  OPENCODE_SERVER_MEMORY_FILE: text(),
  OPENCODE_SERVER_HEALTH_CHECK_INTERVAL_MS: integer(5_000, 100, 600_000),
  OPENCODE_SERVER_MAX_RETRIES: integer(3, 0, 100),
  OPENCODE_SERVER_RETRY_DELAY_MS: integer(1_000, 10, 600_000),
  PROJECT_SERVER_MEMORY_LIMIT: size(4_096 * MEBIBYTE, MIN_SERVER_MEMORY),
  PROJECT_SERVER_NETWORK: text(),
  PROJECT_SERVER_IDLE_MS: integer(30 * 60_000, 1_000, 30 * DAY_MS),
  PROJECT_SERVER_DRAIN_MS: integer(10 * 60_000, 0, DAY_MS),
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
  GIT_SSH_TRUST_NEW_HOSTS: flag(false),
  GIT_HTTPS_TOKENS: z.preprocess((value) => value ?? '', gitTokens),
  GIT_HTTPS_TOKENS_FILE: gitTokensFile,
  GIT_CA_FILE: certificatesFile,
  DOCKER_HOST: url('unix', 'tcp', 'http'),
  RUNNER_IMAGE: text(),
  RUNNER_CPU_LIMIT: decimal(2, 0.1, 256),
  RUNNER_MEMORY_LIMIT: size(2_048 * MEBIBYTE, 256 * MEBIBYTE),
  RUNNER_PIDS_LIMIT: integer(512, 32, 65_536),
  RUNNER_DISK_LIMIT: size(10_240 * MEBIBYTE, 16 * MEBIBYTE),
  RUNNER_TIMEOUT_MS: optionalInteger(1_000, 7 * DAY_MS),
  RUNNER_NETWORK: text(),
  RUNNER_PROXY: url('http'),
  RUNNER_EGRESS_ALLOW: hostPorts,
  RUNNER_EGRESS_DENY: addresses,
  NOTIFIER_PORT: integer(3458, 0, 65_535),
  WEBHOOK_SECRET: webhookSecret(),
  WEBHOOK_ALLOW_PRIVATE_TARGETS: flag(false),
  WEBHOOK_TIMEOUT_MS: integer(15_000, 100, 120_000),
  LETTA_API_URL: url('http', 'https'),
  LETTA_API_TOKEN: text(),
  LETTA_MEMORY_BLOCKS: flag(false),
  LETTA_BLOCK_INTERVAL_MS: integer(5_000, 1_000, 3_600_000),
  LETTA_BLOCK_RETENTION_MS: integer(DAY_MS, 0, 365 * DAY_MS),
  DELIVERY_RETRY_DELAY_MS: integer(5_000, 10, 3_600_000),
  DELIVERY_GIVE_UP_MS: integer(3 * DAY_MS, 1_000, 30 * DAY_MS),
  ...matrixVariables,
  LOG_LEVEL: z.preprocess(
    (value) => (value === '' ? undefined : value),
    z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']).default('info'),
  ),
})

/** The names of all variables that are read. */
export const VARIABLES: readonly string[] = Object.keys(environment.shape)

export type Config = Readonly<{
  /** Secrets that are missing or known to everybody have stopped the start. */
  isProduction: boolean
  /** Secrets that are set and are none, in words, to be warned of in development; no message repeats one. */
  weakSecrets: readonly string[]
  home: string
  workspacesDir: string
  api: Readonly<{ port: number; host: string; keys: readonly ApiKey[]; allowNoAuth: boolean }>
  mcp: Readonly<{
    /** What a client of `/mcp` sees. */
    toolsets: readonly Toolset[]
    /** Serve the names of older managers as well. */
    hasLegacyTools: boolean
  }>
  worker: Readonly<{
    port: number
    maxConcurrentTasks: number
    /** The pool that its OpenCode server belongs to. */
    pool: 'blue' | 'green'
  }>
  databaseUrl: string | undefined
  redisUrl: string | undefined
  opencode: Readonly<{
    /** False: tasks run in Docker mode unless an operator says otherwise, and no server is started or asked for. */
    serverEnabled: boolean
    url: string | undefined
    password: string | undefined
    /** Where a server that runs elsewhere says how many bytes it holds. */
    memoryFile: string | undefined
    healthCheckIntervalMs: number
    maxRetries: number
    retryDelayMs: number
    /** What a supervised server inherits: the caller's own environment without what is ours alone. */
    inherited: Readonly<Record<string, string>>
  }>
  /** OpenCode servers that projects have for themselves. */
  projectServers: Readonly<{
    /** Bytes at which one is drained and replaced, of a project that does not say. */
    memoryLimit: number
    /** Bytes at which the kernel ends one that is in a container. */
    hardMemoryLimit: number
    /** In the stack: the network of their containers; undefined: they are processes, or there are none. */
    network: string | undefined
    /** How long nobody may use one before it is ended, ms. */
    idleMs: number
    /** How long what runs in one that is to be replaced may go on, ms. */
    drainMs: number
  }>
  /** How the worker reaches repositories. */
  git: Readonly<{
    /** Take the key that an unknown ssh host shows the first time. */
    trustNewHosts: boolean
    httpsTokens: readonly GitToken[]
    /** By which hosts over https are trusted, in place of the public ones. */
    caFile: string | undefined
  }>
  /** Docker mode: one container a task. */
  docker: Readonly<{
    /** `unix://` and the socket, or `tcp://host:port`. */
    host: string
    image: string
    /** Of the way out that workers make for the containers: it needs Node 24. */
    egressImage: string
    cpus: number
    memoryBytes: number
    pids: number
    /** Of everything a task keeps: its files and its OpenCode data. */
    diskBytes: number
    /** Of a task that does not say how long it may run; undefined: as in server mode. */
    timeoutMs: number | undefined
    /** The containers' network and their way out of it; undefined: the worker makes its own. */
    network: string | undefined
    proxy: string | undefined
    /** host:port pairs that containers may reach although they are not on the internet. */
    egressAllow: readonly string[]
    /** Addresses and networks. */
    egressDeny: readonly string[]
    /** What a container gets of the caller's environment: variables of providers and of OpenCode. */
    environment: Readonly<Record<string, string>>
  }>
  rollout: Readonly<{
    /** The first value, in percent; the record has the current one. */
    percent: number
    /** What the breaker looks at: tasks that ended within so long, ms. */
    windowMs: number
    /** Fewer tasks of a side prove nothing. */
    minTasks: number
    /** So many infrastructure failures in a hundred tasks are too many. */
    failurePercent: number
    /** How long the breaker stays open before it probes, ms; longer each time that probes fail. */
    cooldownMs: number
    /** Probes that must go well. */
    probes: number
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
  /** Agents are told through this server; undefined: they are not. */
  letta:
    | Readonly<{
        url: string
        token: string | undefined
        /** What an agent's memory holds of its tasks; undefined: nothing. */
        blocks: Readonly<{ intervalMs: number; keptMs: number }> | undefined
      }>
    | undefined
  /** Undefined: Matrix is off. */
  matrix: MatrixSettings | undefined
  log: Readonly<{ level: string }>
}>

const LOOPBACK = new Set(['127.0.0.1', '::1', 'localhost'])

export const isLoopback = (host: string): boolean => LOOPBACK.has(host)

/** Everything that opens a door of ours: it must not reach the agent, which can read its server's environment. */
const OURS =
  /^(SWITCHYARD_|DOCKER_|RUNNER_|DATABASE_URL$|REDIS_URL$|MATRIX_|LETTA_|WEBHOOK_|GIT_HTTPS_TOKENS|GIT_SSH_TRUST_NEW_HOSTS$|PG[A-Z]+$|POSTGRES_|OPENCODE_SERVER_|PROJECT_SERVER_|OPENCODE_ROLLOUT_|OPENCODE_POOL$|DEFAULT_MODEL$|PORT$|HOST$|NODE_ENV$|npm_)/

/** Whether a variable is ours alone: no server and no agent gets it. */
export const isOurs = (name: string): boolean => OURS.test(name)

const inheritedBy = (env: NodeJS.ProcessEnv): Record<string, string> =>
  Object.fromEntries(
    Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined && !isOurs(entry[0])),
  )

/**
 * Reads and checks the environment.
 *
 * @param part - whose secrets are looked at
 * @throws SwitchyardError `configuration_invalid`, naming every variable that is wrong and why.
 * @example const config = loadConfig(process.env)
 */
export const loadConfig = (env: NodeJS.ProcessEnv = process.env, part: Part = 'all'): Config => {
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
  if ((vars.RUNNER_NETWORK === undefined) !== (vars.RUNNER_PROXY === undefined))
    problems.push('RUNNER_NETWORK and RUNNER_PROXY belong together: set both, or neither')
  const twice = vars.GIT_HTTPS_TOKENS_FILE.find(({ host }) =>
    vars.GIT_HTTPS_TOKENS.some((token) => token.host === host),
  )
  if (twice) problems.push(`GIT_HTTPS_TOKENS and GIT_HTTPS_TOKENS_FILE both have a token of ${twice.host}`)
  if (vars.REDIS_URL && !vars.DATABASE_URL)
    problems.push('REDIS_URL is set and DATABASE_URL is not: the stack needs both')
  if (vars.LETTA_API_TOKEN && !vars.LETTA_API_URL)
    problems.push('LETTA_API_TOKEN is set and LETTA_API_URL is not: say which server it is for')
  const isProduction = vars.NODE_ENV === 'production'
  const { missing, weak } = secretProblems(part, vars)
  if (isProduction) problems.push(...missing, ...weak)
  const matrix = matrixSettings(vars, problems)
  if (problems.length > 0) throw invalid(problems)
  return Object.freeze({
    isProduction,
    weakSecrets: Object.freeze(weak),
    home,
    workspacesDir: path.resolve(vars.WORKSPACES_DIR ?? path.join(home, 'workspaces')),
    api: Object.freeze({
      port: vars.PORT,
      host,
      keys: vars.SWITCHYARD_API_KEYS,
      allowNoAuth: vars.SWITCHYARD_ALLOW_NO_AUTH,
    }),
    mcp: Object.freeze({
      toolsets: Object.freeze([...new Set(vars.MCP_TOOLSETS)]),
      hasLegacyTools: vars.MCP_LEGACY_TOOLS,
    }),
    worker: Object.freeze({
      port: vars.WORKER_PORT,
      maxConcurrentTasks: vars.MAX_CONCURRENT_TASKS,
      pool: vars.OPENCODE_POOL,
    }),
    databaseUrl: vars.DATABASE_URL,
    redisUrl: vars.REDIS_URL,
    opencode: Object.freeze({
      serverEnabled: vars.OPENCODE_SERVER_ENABLED,
      url: vars.OPENCODE_SERVER_URL,
      password: vars.OPENCODE_SERVER_PASSWORD,
      memoryFile: vars.OPENCODE_SERVER_MEMORY_FILE,
      healthCheckIntervalMs: vars.OPENCODE_SERVER_HEALTH_CHECK_INTERVAL_MS,
      maxRetries: vars.OPENCODE_SERVER_MAX_RETRIES,
      retryDelayMs: vars.OPENCODE_SERVER_RETRY_DELAY_MS,
      inherited: Object.freeze(inheritedBy(env)),
    }),
    projectServers: Object.freeze({
      memoryLimit: vars.PROJECT_SERVER_MEMORY_LIMIT,
      // Between the two it is drained.
      hardMemoryLimit: Math.round(vars.PROJECT_SERVER_MEMORY_LIMIT * 1.25),
      network: vars.PROJECT_SERVER_NETWORK,
      idleMs: vars.PROJECT_SERVER_IDLE_MS,
      drainMs: vars.PROJECT_SERVER_DRAIN_MS,
    }),
    git: Object.freeze({
      trustNewHosts: vars.GIT_SSH_TRUST_NEW_HOSTS,
      httpsTokens: Object.freeze([...vars.GIT_HTTPS_TOKENS, ...vars.GIT_HTTPS_TOKENS_FILE]),
      caFile: vars.GIT_CA_FILE,
    }),
    docker: Object.freeze({
      host: vars.DOCKER_HOST ?? 'unix:///var/run/docker.sock',
      image: vars.RUNNER_IMAGE ?? RUNNER_IMAGE,
      egressImage: RUNNER_IMAGE,
      cpus: vars.RUNNER_CPU_LIMIT,
      memoryBytes: vars.RUNNER_MEMORY_LIMIT,
      pids: vars.RUNNER_PIDS_LIMIT,
      diskBytes: vars.RUNNER_DISK_LIMIT,
      timeoutMs: vars.RUNNER_TIMEOUT_MS,
      network: vars.RUNNER_NETWORK,
      proxy: vars.RUNNER_PROXY,
      egressAllow: Object.freeze(vars.RUNNER_EGRESS_ALLOW),
      egressDeny: Object.freeze(vars.RUNNER_EGRESS_DENY),
      environment: Object.freeze(providerVariables(inheritedBy(env))),
    }),
    rollout: Object.freeze({
      percent: vars.OPENCODE_ROLLOUT_PERCENT,
      windowMs: vars.OPENCODE_ROLLOUT_WINDOW_MS,
      minTasks: vars.OPENCODE_ROLLOUT_MIN_TASKS,
      failurePercent: vars.OPENCODE_ROLLOUT_FAILURE_PERCENT,
      cooldownMs: vars.OPENCODE_ROLLOUT_COOLDOWN_MS,
      probes: vars.OPENCODE_ROLLOUT_PROBES,
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
    letta:
      vars.LETTA_API_URL === undefined
        ? undefined
        : Object.freeze({
            url: vars.LETTA_API_URL,
            token: vars.LETTA_API_TOKEN,
            blocks: vars.LETTA_MEMORY_BLOCKS
              ? Object.freeze({ intervalMs: vars.LETTA_BLOCK_INTERVAL_MS, keptMs: vars.LETTA_BLOCK_RETENTION_MS })
              : undefined,
          }),
    matrix,
    log: Object.freeze({ level: vars.LOG_LEVEL }),
  })
}

const invalid = (problems: readonly string[]): SwitchyardError =>
  new SwitchyardError('configuration_invalid', problems.join('; '), { context: { problems } })
