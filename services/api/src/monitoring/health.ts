// Checks the components: which ones respond, how fast, and whether the system can accept work.

import type { Logger } from '@switchyard/config'
import type { Health, Part, Ready } from '@switchyard/contracts'
import type { Bus, TaskQueue } from '@switchyard/queue'
import {
  allStartServers,
  countByStatus,
  countLiveWorkers,
  listLiveNotifiers,
  listServers,
  type NotifierState,
  type Records,
  type ServerRow,
} from '@switchyard/records'

/** A component that does not respond within this time is down, ms. */
const TIMEOUT_MS = 2_500
/** A result is reused for this long, ms. */
const FRESH_MS = 500

export type HealthDeps = {
  readonly records: Records
  readonly queue: Pick<TaskQueue, 'ping'>
  readonly bus: Bus
  /** Whether tasks of different API keys must not share an OpenCode server. */
  readonly keysHaveServers: boolean
  readonly version: string
  readonly startedAt: Date
  readonly logger: Logger
}

type Snapshot = Omit<Health, 'version' | 'uptime_s'> & { readonly ready: boolean }

const withTimeout = async <T>(call: Promise<T>): Promise<T> => {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no response within ${TIMEOUT_MS} ms`)), TIMEOUT_MS)
  })
  try {
    return await Promise.race([call, late])
  } finally {
    clearTimeout(timer)
    call.catch(() => {})
  }
}

const down = (name: string, error: unknown): Part => ({
  name,
  status: 'down',
  detail: error instanceof Error ? error.message : String(error),
  latency_ms: null,
})

const pingPart = async (name: string, ping: Promise<number>): Promise<Part> => {
  try {
    const latency = await withTimeout(ping)
    return { name, status: 'up', detail: null, latency_ms: Math.round(latency * 10) / 10 }
  } catch (error) {
    return down(name, error)
  }
}

/** Workers report their Docker engine as a server with this id. */
const isEngine = (server: ServerRow): boolean => server.id === 'docker'

const serverPart = (server: ServerRow): Part => {
  // A busy server responds slowly, but it is not down.
  const status = server.state === 'up' ? 'up' : server.state === 'busy' ? 'degraded' : 'down'
  const detail = [
    server.version && `${isEngine(server) ? 'Docker' : 'OpenCode'} ${server.version}`,
    server.state,
    server.detail,
  ].filter(Boolean)
  return {
    name: isEngine(server) ? 'docker' : `opencode:${server.id}`,
    status,
    detail: detail.join(', '),
    latency_ms: null,
  }
}

const serverParts = (servers: readonly ServerRow[]): readonly Part[] =>
  servers.length > 0
    ? servers.map(serverPart)
    : [{ name: 'opencode', status: 'down', detail: 'no worker has reported an OpenCode server', latency_ms: null }]

const workersPart = (live: number): Part => ({
  name: 'workers',
  status: live > 0 ? 'up' : 'down',
  detail: live === 1 ? '1 live worker' : `${live} live workers`,
  latency_ms: null,
})

/** Without the means to start them, tasks of all keys run on the shared server: they wait for nothing, but nothing separates them. */
const keyServersPart = (canStart: boolean): Part => ({
  name: 'key-servers',
  status: canStart ? 'up' : 'degraded',
  detail: canStart
    ? 'each agent key has an OpenCode server of its own'
    : 'a worker has no Docker engine: tasks of all API keys share its OpenCode server; start the stack with --profile docker',
  latency_ms: null,
})

/** Tasks run without a notifier, so a missing one does not make the system unready. */
const notifierPart = (live: readonly NotifierState[]): Part => {
  const problem = live.find((notifier) => notifier.problem !== null)?.problem ?? null
  return {
    name: 'notifier',
    status: live.length === 0 ? 'down' : problem === null ? 'up' : 'degraded',
    detail: live.length === 0 ? 'no live notifier; notifications are delayed until one starts' : problem,
    latency_ms: null,
  }
}

const providersOf = (servers: readonly ServerRow[]): string[] =>
  [...new Set(servers.flatMap((server) => server.catalog?.providers.map((provider) => provider.id) ?? []))].sort()

export class HealthCheck {
  readonly #deps: HealthDeps
  #wasReady: boolean | undefined
  #keyServers: Part['status'] | undefined
  #last: { readonly at: number; readonly snapshot: Promise<Snapshot> } | undefined

  constructor(deps: HealthDeps) {
    this.#deps = deps
  }

  #snapshot(): Promise<Snapshot> {
    if (!this.#last || Date.now() - this.#last.at > FRESH_MS) this.#last = { at: Date.now(), snapshot: this.#check() }
    return this.#last.snapshot
  }

  async #check(): Promise<Snapshot> {
    const snapshot = await this.#readSnapshot()
    this.#logChange(snapshot)
    this.#logKeyServers(snapshot)
    return snapshot
  }

  #logChange({ ready, parts }: Snapshot): void {
    if (ready === this.#wasReady) return
    const wasReady = this.#wasReady
    this.#wasReady = ready
    const unhealthy = parts.filter((part) => part.status !== 'up').map(({ name, detail }) => `${name}: ${detail}`)
    // Not being ready at start is normal: the other components are still starting.
    if (!ready && wasReady) this.#deps.logger.warn({ unhealthy }, 'no longer ready to accept tasks')
    else this.#deps.logger.info({ unhealthy }, ready ? 'ready to accept tasks' : 'not ready to accept tasks yet')
  }

  /** Logs when the separation of API keys begins or ends. */
  #logKeyServers({ parts }: Snapshot): void {
    const part = parts.find(({ name }) => name === 'key-servers')
    if (!part || part.status === this.#keyServers) return
    this.#keyServers = part.status
    const { logger } = this.#deps
    if (part.status === 'up') logger.info('tasks of each API key run on an OpenCode server of their own')
    else logger.warn({ detail: part.detail }, 'tasks of different API keys share an OpenCode server')
  }

  async #readSnapshot(): Promise<Snapshot> {
    const { records, queue, bus, keysHaveServers } = this.#deps
    const [database, queuePart, busPart, known] = await Promise.all([
      pingPart('database', records.ping()),
      pingPart('queue', queue.ping()),
      pingPart('bus', bus.ping()),
      withTimeout(
        Promise.all([
          countLiveWorkers(records.db),
          listServers(records.db),
          countByStatus(records.db),
          listLiveNotifiers(records.db),
          keysHaveServers ? allStartServers(records.db) : undefined,
        ]),
      ).catch((error: unknown) => ({ error })),
    ])
    const base = [database, queuePart, busPart]
    if ('error' in known)
      return {
        status: 'down',
        ready: false,
        parts: [...base, down('workers', known.error), down('opencode', known.error), down('notifier', known.error)],
        counts: {},
        providers: [],
      }
    const [live, servers, counts, notifiers, canStart] = known
    const keyServers = canStart === undefined || live === 0 ? [] : [keyServersPart(canStart)]
    const parts = [...base, workersPart(live), ...serverParts(servers), ...keyServers, notifierPart(notifiers)]
    // OpenCode servers run tasks by default, so one of them must be up. Without any, a Docker engine is enough.
    const openCodeServers = servers.filter((server) => !isEngine(server))
    const required = openCodeServers.length > 0 ? openCodeServers : servers
    const serverIsUp = required.some((server) => server.state === 'up' || server.state === 'busy')
    const ready = database.status === 'up' && queuePart.status === 'up' && live > 0 && serverIsUp
    const allUp = parts.every((part) => part.status === 'up')
    return {
      status: database.status === 'down' ? 'down' : allUp ? 'ok' : 'degraded',
      ready,
      parts,
      counts: { ...counts },
      providers: providersOf(servers),
    }
  }

  /** @param full - false for a caller without a key, who gets the overall status only */
  async health(full: boolean): Promise<Health> {
    const { ready: _ready, ...snapshot } = await this.#snapshot()
    const base = {
      version: this.#deps.version,
      uptime_s: Math.round((Date.now() - this.#deps.startedAt.getTime()) / 1_000),
    }
    return full ? { ...snapshot, ...base } : { ...base, status: snapshot.status, parts: [], counts: {}, providers: [] }
  }

  /** @param full - false for a caller without a key, who gets no details */
  async ready(full: boolean): Promise<Ready> {
    const { ready, parts } = await this.#snapshot()
    return { ready, parts: full ? parts : parts.map((part) => ({ ...part, detail: null, latency_ms: null })) }
  }
}
