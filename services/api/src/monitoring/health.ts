// The state of the parts: what answers, how fast, and whether work can be taken.

import type { Logger } from '@switchyard/config'
import type { Health, Part, Ready } from '@switchyard/contracts'
import type { Bus, TaskQueue } from '@switchyard/queue'
import {
  countByStatus,
  countLiveWorkers,
  listLiveNotifiers,
  listServers,
  type NotifierState,
  type Records,
  type ServerRow,
} from '@switchyard/records'

/** A part that has not answered by then is down, ms. */
const PART_MS = 2_500
/** Asked more often than this, the last answer is given again, ms. */
const FRESH_MS = 500

export type HealthDeps = {
  readonly records: Records
  readonly queue: Pick<TaskQueue, 'ping'>
  readonly bus: Bus
  readonly version: string
  readonly startedAt: Date
  readonly logger: Logger
}

type Snapshot = Omit<Health, 'version' | 'uptime_s'> & { readonly ready: boolean }

const within = async <T>(call: Promise<T>): Promise<T> => {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${PART_MS} ms`)), PART_MS)
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

const pinged = async (name: string, ping: Promise<number>): Promise<Part> => {
  try {
    const latency = await within(ping)
    return { name, status: 'up', detail: null, latency_ms: Math.round(latency * 10) / 10 }
  } catch (error) {
    return down(name, error)
  }
}

/** Workers report their Docker engine among the servers, under this id. */
const isEngine = (server: ServerRow): boolean => server.id === 'docker'

const serverPart = (server: ServerRow): Part => {
  // A busy server answers late; it is not away.
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

/** Without one tasks run all the same, and nobody is told of them: no reason to take no work. */
const notifierPart = (live: readonly NotifierState[]): Part => {
  const problem = live.find((notifier) => notifier.problem !== null)?.problem ?? null
  return {
    name: 'notifier',
    status: live.length === 0 ? 'down' : problem === null ? 'up' : 'degraded',
    detail: live.length === 0 ? 'no live notifier: notifications wait until there is one' : problem,
    latency_ms: null,
  }
}

const providersOf = (servers: readonly ServerRow[]): string[] =>
  [...new Set(servers.flatMap((server) => server.catalog?.providers.map((provider) => provider.id) ?? []))].sort()

export class HealthCheck {
  readonly #deps: HealthDeps
  #wasReady: boolean | undefined
  #last: { readonly at: number; readonly snapshot: Promise<Snapshot> } | undefined

  constructor(deps: HealthDeps) {
    this.#deps = deps
  }

  #snapshot(): Promise<Snapshot> {
    if (!this.#last || Date.now() - this.#last.at > FRESH_MS) this.#last = { at: Date.now(), snapshot: this.#look() }
    return this.#last.snapshot
  }

  async #look(): Promise<Snapshot> {
    const snapshot = await this.#ask()
    this.#tell(snapshot)
    return snapshot
  }

  /** Once for each change, however often it is asked. */
  #tell({ ready, parts }: Snapshot): void {
    if (ready === this.#wasReady) return
    const wasReady = this.#wasReady
    this.#wasReady = ready
    const wrong = parts.filter((part) => part.status !== 'up').map(({ name, detail }) => `${name}: ${detail}`)
    // At the start the other parts are starting too.
    if (!ready && wasReady) this.#deps.logger.warn({ wrong }, 'no longer ready to take work')
    else this.#deps.logger.info({ wrong }, ready ? 'ready to take work' : 'not ready to take work yet')
  }

  async #ask(): Promise<Snapshot> {
    const { records, queue, bus } = this.#deps
    const [database, queuePart, busPart, known] = await Promise.all([
      pinged('database', records.ping()),
      pinged('queue', queue.ping()),
      pinged('bus', bus.ping()),
      within(
        Promise.all([
          countLiveWorkers(records.db),
          listServers(records.db),
          countByStatus(records.db),
          listLiveNotifiers(records.db),
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
    const [live, servers, counts, notifiers] = known
    const parts = [...base, workersPart(live), ...serverParts(servers), notifierPart(notifiers)]
    // Where there are OpenCode servers, tasks that say nothing run on them; containers alone are enough where there are none.
    const onServers = servers.filter((server) => !isEngine(server))
    const deciding = onServers.length > 0 ? onServers : servers
    const serverIsUp = deciding.some((server) => server.state === 'up' || server.state === 'busy')
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

  /** @param full - false: only what a stranger may know. */
  async health(full: boolean): Promise<Health> {
    const { ready: _ready, ...snapshot } = await this.#snapshot()
    const base = {
      version: this.#deps.version,
      uptime_s: Math.round((Date.now() - this.#deps.startedAt.getTime()) / 1_000),
    }
    return full ? { ...snapshot, ...base } : { ...base, status: snapshot.status, parts: [], counts: {}, providers: [] }
  }

  /** @param full - false: the parts without what is wrong with them. */
  async ready(full: boolean): Promise<Ready> {
    const { ready, parts } = await this.#snapshot()
    return { ready, parts: full ? parts : parts.map((part) => ({ ...part, detail: null, latency_ms: null })) }
  }
}
