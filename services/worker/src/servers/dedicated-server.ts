// A dedicated server that this worker runs. It reports the server's state, drains and restarts
// it when it exceeds its memory limit, and says when it is idle for long enough to be stopped.

import type { WorkerId } from '@switchyard/contracts'
import { OpenCodeServer, type ServerLauncher } from '@switchyard/opencode'
import {
  beginStop,
  clearRequest,
  listOwnedDirectories,
  type ProjectServerRow,
  type Records,
  reportProjectServer,
} from '@switchyard/records'
import type { Logger } from 'pino'
import { liveDirectories } from './live-directories.ts'
import { type ContinuesWork, ServerLeases } from './server-leases.ts'

/**
 * A server that exceeds its limit so soon after a restart would do so again; it is left running for
 * this long, ms.
 */
const SETTLE_MS = 10 * 60_000

/** What applies to a project that sets no limits of its own. */
export type DedicatedServerLimits = {
  /** Bytes. */
  readonly memoryLimit: number
  readonly idleMs: number
  /** How long running turns may continue on a draining server, ms. */
  readonly drainMs: number
}

/** The options of {@link OpenCodeServer.start} that come from the configuration. */
export type ServerTimings = {
  readonly healthCheckIntervalMs: number
  readonly maxRetries: number
  readonly retryDelayMs: number
  readonly outageMs: number
}

export type DedicatedServerOptions = {
  readonly key: string
  readonly workerId: WorkerId
  readonly records: Records
  readonly launcher: ServerLauncher
  readonly timings: ServerTimings
  readonly limits: DedicatedServerLimits
  /** Subscribes to the server. @returns a function that unsubscribes. */
  readonly onServer: (server: OpenCodeServer) => () => void
  readonly logger: Logger
}

export type CheckOutcome =
  | 'in_service'
  /** Its stop has begun in the record: the caller stops it. */
  | 'idle'
  /** The record names another worker, or the project was deleted. */
  | 'lost'

export class DedicatedServer {
  readonly server: OpenCodeServer
  readonly key: string
  readonly leases = new ServerLeases()
  readonly #options: DedicatedServerOptions
  readonly #unsubscribe: () => void
  #draining: { readonly since: number; readonly why: string } | null = null
  #isStopping = false
  #restarts = 0
  /** Time of the last restart for its memory, ms since 1970. */
  #restartedAt = 0
  /** The warning that is reported while even a fresh server exceeds the limit. */
  #limitWarning: string | null = null
  /** `leases.startedWork` at the time when the request to stop was first seen. */
  #startedWorkAtStop: number | null = null

  constructor(options: DedicatedServerOptions) {
    const { launcher, timings, onServer, logger } = options
    this.#options = options
    this.key = options.key
    this.server = OpenCodeServer.start({ launcher, logger, ...timings })
    this.#unsubscribe = onServer(this.server)
  }

  /**
   * Returns whether a lease can be granted now. A draining server grants only those that continue
   * its work.
   */
  accepts(continuesWork: ContinuesWork): boolean {
    if (this.#isStopping || this.server.state().status === 'stopped') return false
    return this.#draining === null || continuesWork(this.server)
  }

  get #isIdle(): boolean {
    return this.leases.active === 0 && this.server.busy().length === 0
  }

  /**
   * Reports the server's state and does what is due. Call it every few seconds, one call at a time.
   */
  async check(): Promise<CheckOutcome> {
    const memory = await this.server.memory().catch(() => undefined)
    const row = await this.#report(memory)
    if (!row) return 'lost'
    const isStopRequested = await this.#handleRequest(row)
    const idleMs = isStopRequested ? 0 : (row.idle_ms ?? this.#options.limits.idleMs)
    if (await this.#beginStop(idleMs)) return 'idle'
    await this.#enforceMemoryLimit(memory, row)
    return 'in_service'
  }

  /** @param leaveRunning - a container continues to run, for the next worker. */
  async close({ leaveRunning }: { readonly leaveRunning: boolean }): Promise<void> {
    this.#unsubscribe()
    await this.server.close({ leave: leaveRunning })
  }

  async #report(memory: number | undefined): Promise<ProjectServerRow | undefined> {
    const { records, workerId, launcher } = this.#options
    const { status, error, url, pid, container, version, lastHealthAt } = this.server.state()
    return await reportProjectServer(records.db, this.key, workerId, {
      state: this.#draining && status !== 'stopped' ? 'draining' : status,
      detail: this.#draining?.why ?? error?.message ?? this.#limitWarning,
      kind: launcher.kind === 'container' ? 'container' : 'child',
      url: url ?? null,
      pid: pid ?? null,
      container_id: container ?? null,
      version: version ?? null,
      memory_bytes: memory ?? null,
      busy_sessions: this.server.busy().length,
      last_health_at: lastHealthAt,
      restarts: this.#restarts,
      live: liveDirectories(this.server, await listOwnedDirectories(records.db)),
      inUse: !this.#isIdle,
    })
  }

  /**
   * @returns whether to stop the server. New work that starts after the request for the stop
   *   cancels the request.
   */
  async #handleRequest({ request }: ProjectServerRow): Promise<boolean> {
    if (request === 'stop') {
      this.#startedWorkAtStop ??= this.leases.startedWork
      if (this.leases.startedWork === this.#startedWorkAtStop) return true
    }
    this.#startedWorkAtStop = null
    if (request === null) return false
    const { records, workerId } = this.#options
    await clearRequest(records.db, this.key, workerId, request)
    if (request === 'restart') await this.#restart('a restart was requested')
    return false
  }

  async #enforceMemoryLimit(memory: number | undefined, row: ProjectServerRow): Promise<void> {
    const { limits } = this.#options
    const limit = row.memory_limit ?? limits.memoryLimit
    if (memory !== undefined && !this.#draining) await this.#compareMemory(memory, limit)
    if (!this.#draining) return
    const isOverdue = Date.now() - this.#draining.since > limits.drainMs
    if (!this.#isIdle && !isOverdue) return
    await this.#restart(this.#draining.why)
    this.#draining = null
    this.#restartedAt = Date.now()
  }

  async #compareMemory(memory: number, limit: number): Promise<void> {
    const { logger } = this.#options
    const facts = { server: this.key, memory, limit }
    const usage = `it uses ${mebibytes(memory)} MiB of ${mebibytes(limit)} MiB`
    if (memory <= limit) this.#limitWarning = null
    else if (Date.now() - this.#restartedAt < SETTLE_MS) {
      if (this.#limitWarning === null) logger.warn(facts, 'memory limit of project server is below what it needs')
      this.#limitWarning = `${usage} right after a restart: the limit is below what it needs`
    } else {
      this.#draining = { since: Date.now(), why: usage }
      logger.warn(facts, 'project server exceeds its memory limit; draining')
      await this.#report(memory)
    }
  }

  /** Tasks resume the turns that this interrupts; other turns end. */
  async #restart(why: string): Promise<void> {
    this.#restarts += 1
    await this.server.restart(why)
  }

  /** @returns whether the record marks the server as stopping. */
  async #beginStop(idleMs: number): Promise<boolean> {
    const { records, workerId } = this.#options
    // A server that an earlier worker left running may be busy with work that started before this
    // one connected.
    await this.server.caughtUp()
    if (!this.#isIdle) return false
    // No lease is granted while the record is written.
    this.#isStopping = true
    const isStopping = await beginStop(records.db, this.key, workerId, idleMs).catch(() => false)
    this.#isStopping = isStopping
    return isStopping
  }
}

const mebibytes = (bytes: number): number => Math.round(bytes / 1_048_576)
