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
import { liveOn } from './live.ts'

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

export type Verdict =
  | 'kept'
  /** Nobody uses it: it is to be ended. */
  | 'idle'
  /** Another worker has it, or its project is gone. */
  | 'lost'

export class KeptServer {
  readonly server: OpenCodeServer
  readonly projectId: string
  readonly #options: KeptOptions
  /** Runs and calls that hold it now. */
  uses = 0
  #draining: { readonly since: number; readonly why: string } | null = null
  #isEnding = false
  #restarts = 0

  constructor(options: KeptOptions) {
    const { launcher, calls, logger } = options
    this.#options = options
    this.projectId = options.projectId
    this.server = OpenCodeServer.start({ launcher, logger, ...calls })
  }

  /** Whether new work may go there: not while it is drained or ended. */
  get isTaking(): boolean {
    return this.#draining === null && !this.#isEnding && this.server.state().status !== 'stopped'
  }

  get #isIdle(): boolean {
    return this.uses === 0 && this.server.busy().length === 0
  }

  /** Reports how it stands, and does what is due. To be called every few seconds, once at a time. */
  async look(): Promise<Verdict> {
    const memory = await this.server.memory().catch(() => undefined)
    const row = await this.#report(memory)
    if (!row) return 'lost'
    await this.#answer(row)
    await this.#watchMemory(memory, row)
    const idleMs = row.request === 'stop' ? 0 : (row.idle_ms ?? this.#options.settings.idleMs)
    return (await this.#mayEnd(idleMs)) ? 'idle' : 'kept'
  }

  async #report(memory: number | undefined): Promise<ProjectServerRow | undefined> {
    const { records, workerId, launcher } = this.#options
    const { status, error, url, pid, container, version, lastHealthAt } = this.server.state()
    return await reportProjectServer(records.db, this.projectId, workerId, {
      state: this.#draining && status !== 'stopped' ? 'draining' : status,
      detail: this.#draining?.why ?? error?.message ?? null,
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

  async #answer({ request }: ProjectServerRow): Promise<void> {
    if (request === null) return
    const { records, workerId } = this.#options
    await clearRequest(records.db, this.projectId, workerId)
    if (request === 'restart') await this.#replace('it was asked for')
  }

  async #watchMemory(memory: number | undefined, row: ProjectServerRow): Promise<void> {
    const { settings, logger } = this.#options
    const limit = row.memory_limit ?? settings.memoryLimit
    if (!this.#draining && memory !== undefined && memory > limit) {
      this.#draining = { since: Date.now(), why: `it holds ${mebibytes(memory)} MiB of ${mebibytes(limit)}` }
      logger.warn({ project_id: this.projectId, memory, limit }, 'a project’s server has grown past its limit: drained')
      await this.#report(memory)
    }
    if (!this.#draining) return
    const isOver = Date.now() - this.#draining.since > settings.drainMs
    if (this.server.busy().length > 0 && !isOver) return
    await this.#replace(this.#draining.why)
    this.#draining = null
  }

  /** Turns that still run are taken up again by those who watch them. */
  async #replace(why: string): Promise<void> {
    this.#restarts += 1
    await this.server.restart(why)
  }

  async #mayEnd(idleMs: number): Promise<boolean> {
    const { records, workerId } = this.#options
    // One that was taken over may work on something that began before.
    await this.server.caughtUp()
    if (!this.#isIdle || this.#draining) return false
    // From here on it takes nothing new, so that nobody comes in between.
    this.#isEnding = true
    const ends = await beginStop(records.db, this.projectId, workerId, idleMs).catch(() => false)
    this.#isEnding = ends
    return ends
  }
}

const mebibytes = (bytes: number): number => Math.round(bytes / 1_048_576)
