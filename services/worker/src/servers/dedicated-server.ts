// A project's own server that this worker keeps: reported, drained and replaced when it has grown too large, ended when nobody uses it.

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
import { liveOn } from './live-directories.ts'
import { Holds } from './server-leases.ts'

/** One that is past its limit so soon after it was replaced would be again, and again: it is left alone for so long, ms. */
const SETTLE_MS = 10 * 60_000

export type KeeperSettings = {
  /** Bytes; what a project does not set for itself. */
  readonly memoryLimit: number
  readonly idleMs: number
  /** How long turns that run may go on in a server that is to be replaced, ms. */
  readonly drainMs: number
}

export type KeptOptions = {
  readonly projectId: string
  readonly workerId: WorkerId
  readonly records: Records
  readonly launcher: ServerLauncher
  readonly calls: { readonly healthCheckIntervalMs: number; readonly maxRetries: number; readonly retryDelayMs: number }
  readonly settings: KeeperSettings
  readonly logger: Logger
}

/** Whether what somebody wants there belongs to what the server does already, such as the answer to an ask of a turn that runs. */
export type GoesOn = (server: OpenCodeServer) => boolean

export type Verdict =
  | 'kept'
  /** Nobody uses it: it is to be ended. */
  | 'idle'
  /** Another worker has it, or its project is gone. */
  | 'lost'

export class KeptServer {
  readonly server: OpenCodeServer
  readonly projectId: string
  readonly holds = new Holds()
  readonly #options: KeptOptions
  #draining: { readonly since: number; readonly why: string } | null = null
  #isEnding = false
  #restarts = 0
  /** When it was last replaced for its memory, ms since 1970. */
  #replacedAt = 0
  /** What is said of a limit that even a new one is past. */
  #shortage: string | null = null
  /** How often something had begun when it was first seen that it is to be stopped. */
  #begunAtStop: number | null = null

  constructor(options: KeptOptions) {
    const { launcher, calls, logger } = options
    this.#options = options
    this.projectId = options.projectId
    this.server = OpenCodeServer.start({ launcher, logger, ...calls })
  }

  /** Whether work may go there: not while it is ended; while it is drained, only what goes on with what it does already. */
  takes(goesOn: GoesOn): boolean {
    if (this.#isEnding || this.server.state().status === 'stopped') return false
    return this.#draining === null || goesOn(this.server)
  }

  get #isIdle(): boolean {
    return this.holds.now === 0 && this.server.busy().length === 0
  }

  /** Reports how it stands, and does what is due. To be called every few seconds, once at a time. */
  async look(): Promise<Verdict> {
    const memory = await this.server.memory().catch(() => undefined)
    const row = await this.#report(memory)
    if (!row) return 'lost'
    const isToStop = await this.#answer(row)
    const idleMs = isToStop ? 0 : (row.idle_ms ?? this.#options.settings.idleMs)
    if (await this.#mayEnd(idleMs)) return 'idle'
    await this.#watchMemory(memory, row)
    return 'kept'
  }

  async #report(memory: number | undefined): Promise<ProjectServerRow | undefined> {
    const { records, workerId, launcher } = this.#options
    const { status, error, url, pid, container, version, lastHealthAt } = this.server.state()
    return await reportProjectServer(records.db, this.projectId, workerId, {
      state: this.#draining && status !== 'stopped' ? 'draining' : status,
      detail: this.#draining?.why ?? error?.message ?? this.#shortage,
      kind: launcher.kind === 'container' ? 'container' : 'child',
      url: url ?? null,
      pid: pid ?? null,
      container_id: container ?? null,
      version: version ?? null,
      memory_bytes: memory ?? null,
      busy_sessions: this.server.busy().length,
      last_health_at: lastHealthAt,
      restarts: this.#restarts,
      live: liveOn(this.server, await listOwnedDirectories(records.db)),
      inUse: !this.#isIdle,
    })
  }

  /** @returns whether it is to be stopped: until it is, or until somebody begins something there after that was asked. */
  async #answer({ request }: ProjectServerRow): Promise<boolean> {
    if (request === 'stop') {
      this.#begunAtStop ??= this.holds.begun
      if (this.holds.begun === this.#begunAtStop) return true
    }
    this.#begunAtStop = null
    if (request === null) return false
    const { records, workerId } = this.#options
    await clearRequest(records.db, this.projectId, workerId, request)
    if (request === 'restart') await this.#replace('it was asked for')
    return false
  }

  async #watchMemory(memory: number | undefined, row: ProjectServerRow): Promise<void> {
    const { settings } = this.#options
    const limit = row.memory_limit ?? settings.memoryLimit
    if (memory !== undefined && !this.#draining) await this.#checkLimit(memory, limit)
    if (!this.#draining) return
    const isOver = Date.now() - this.#draining.since > settings.drainMs
    if (!this.#isIdle && !isOver) return
    await this.#replace(this.#draining.why)
    this.#draining = null
    this.#replacedAt = Date.now()
  }

  /** Holds its memory against the limit. */
  async #checkLimit(memory: number, limit: number): Promise<void> {
    const { logger } = this.#options
    const facts = { project_id: this.projectId, memory, limit }
    const holds = `it holds ${mebibytes(memory)} MiB of ${mebibytes(limit)}`
    const isAnew = Date.now() - this.#replacedAt < SETTLE_MS
    if (memory <= limit) this.#shortage = null
    else if (isAnew) {
      if (this.#shortage === null) logger.warn(facts, 'the memory limit of a project’s server is below what it needs')
      this.#shortage = `${holds} although it was just replaced: the limit is below what it needs`
    } else {
      this.#draining = { since: Date.now(), why: holds }
      logger.warn(facts, 'a project’s server has grown past its limit: drained')
      await this.#report(memory)
    }
  }

  /** Tasks whose turns still run take them up again; other turns end there. */
  async #replace(why: string): Promise<void> {
    this.#restarts += 1
    await this.server.restart(why)
  }

  async #mayEnd(idleMs: number): Promise<boolean> {
    const { records, workerId } = this.#options
    // One that was taken over may work on something that began before.
    await this.server.caughtUp()
    if (!this.#isIdle) return false
    // From here on it takes nothing new, so that nobody comes in between.
    this.#isEnding = true
    const ends = await beginStop(records.db, this.projectId, workerId, idleMs).catch(() => false)
    this.#isEnding = ends
    return ends
  }
}

const mebibytes = (bytes: number): number => Math.round(bytes / 1_048_576)
