// The environment as one frozen, typed object. Nothing else in Switchyard reads process.env.

import path from 'node:path'
import { SwitchyardError } from '@switchyard/contracts'
import type { GitToken } from './git-tokens.ts'
import type { ApiKey } from './keys.ts'
import { type MatrixSettings, matrixSettings } from './matrix.ts'
import { type Part, secretProblems } from './production.ts'
import { providerVariables } from './provider-variables.ts'
import type { Toolset } from './settings/access.ts'
import { RUNNER_IMAGE } from './settings/docker.ts'
import { environment } from './settings/index.ts'

/** The names of all variables that are read. */
export const VARIABLES: readonly string[] = Object.keys(environment.shape)

export type Config = Readonly<{
  /** Missing or well-known secrets stop the start. */
  isProduction: boolean
  /** Why secrets that are set are too weak, to be logged in development; no message repeats a secret. */
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
    /** `owner`: each agent key has a server of its own, when there are several keys. */
    sharing: 'owner' | 'all'
    url: string | undefined
    password: string | undefined
    /** Where a server that runs elsewhere says how many bytes it holds. */
    memoryFile: string | undefined
    healthCheckIntervalMs: number
    maxRetries: number
    retryDelayMs: number
    /** How long tasks wait for a server that is unreachable, ms. */
    outageMs: number
    /** What a supervised server inherits: the caller's own environment without what is ours alone. */
    inherited: Readonly<Record<string, string>>
  }>
  /** The model gateway, which calls model providers for OpenCode servers. */
  gateway: Readonly<{
    /** Port of a gateway that runs as its own process. */
    port: number
    /** Ids of providers that OpenCode calls itself. */
    directProviders: readonly string[]
    /** Proxies for calls to providers. */
    proxy: Readonly<{ http?: string; https?: string; except?: string }>
  }>
  /** The sandbox in which servers that Switchyard starts run the commands of agents. */
  toolSandbox: Readonly<{
    mode: 'auto' | 'required' | 'off'
    /** More directories that commands may read. */
    paths: readonly string[]
    /** More variables that commands receive. */
    variables: readonly string[]
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
    /** Image of the egress proxy that workers create for the containers; it needs Node 24. */
    egressImage: string
    cpus: number
    memoryBytes: number
    pids: number
    /** Of everything a task keeps: its files and its OpenCode data. */
    diskBytes: number
    /** Of a task that does not say how long it may run; undefined: as in server mode. */
    timeoutMs: number | undefined
    /** The containers' network and their egress proxy; undefined: the worker creates its own. */
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
  /** The Letta server through which agents are notified; undefined: they are not. */
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

/** Variables that give access to Switchyard or its stores. The agent can read its server's environment, so none may reach it. */
const OURS =
  /^(SWITCHYARD_|DOCKER_|RUNNER_|DATABASE_URL$|REDIS_URL$|MATRIX_|LETTA_|WEBHOOK_|GIT_HTTPS_TOKENS|GIT_SSH_TRUST_NEW_HOSTS$|PG[A-Z]+$|POSTGRES_|OPENCODE_SERVER_|OPENCODE_DIRECT_PROVIDERS$|MODEL_GATEWAY_|PROJECT_SERVER_|OPENCODE_ROLLOUT_|OPENCODE_POOL$|TOOL_SANDBOX|DEFAULT_MODEL$|PORT$|HOST$|NODE_ENV$|npm_)/

/** Returns whether a variable belongs to Switchyard alone: no server and no agent receives it. */
export const isOurs = (name: string): boolean => OURS.test(name)

const inheritedBy = (env: NodeJS.ProcessEnv): Record<string, string> =>
  Object.fromEntries(
    Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined && !isOurs(entry[0])),
  )

const proxyIn = (env: NodeJS.ProcessEnv): Config['gateway']['proxy'] => {
  const http = env.http_proxy ?? env.HTTP_PROXY
  const https = env.https_proxy ?? env.HTTPS_PROXY
  const except = env.no_proxy ?? env.NO_PROXY
  return { ...(http ? { http } : {}), ...(https ? { https } : {}), ...(except ? { except } : {}) }
}

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
      sharing: vars.OPENCODE_SHARING,
      url: vars.OPENCODE_SERVER_URL,
      password: vars.OPENCODE_SERVER_PASSWORD,
      memoryFile: vars.OPENCODE_SERVER_MEMORY_FILE,
      healthCheckIntervalMs: vars.OPENCODE_SERVER_HEALTH_CHECK_INTERVAL_MS,
      maxRetries: vars.OPENCODE_SERVER_MAX_RETRIES,
      retryDelayMs: vars.OPENCODE_SERVER_RETRY_DELAY_MS,
      outageMs: vars.OPENCODE_SERVER_OUTAGE_MS,
      inherited: Object.freeze(inheritedBy(env)),
    }),
    gateway: Object.freeze({
      port: vars.MODEL_GATEWAY_PORT,
      directProviders: Object.freeze(vars.OPENCODE_DIRECT_PROVIDERS),
      proxy: Object.freeze(proxyIn(env)),
    }),
    toolSandbox: Object.freeze({
      mode: vars.TOOL_SANDBOX,
      paths: Object.freeze(vars.TOOL_SANDBOX_PATHS),
      variables: Object.freeze(vars.TOOL_SANDBOX_VARIABLES),
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
      egressAllow: Object.freeze([...vars.EGRESS_ALLOW, ...vars.RUNNER_EGRESS_ALLOW]),
      egressDeny: Object.freeze([...vars.EGRESS_DENY, ...vars.RUNNER_EGRESS_DENY]),
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
