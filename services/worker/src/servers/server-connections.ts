// Connections to projects' own servers that other workers run. This worker neither starts nor stops
// those servers; while it uses one, it writes so to the record, so that the other worker does not
// stop it as idle.

import { SwitchyardError } from '@switchyard/contracts'
import { OpenCodeServer, remoteServer, type ServerLauncher } from '@switchyard/opencode'
import { type Repeating, repeat } from '@switchyard/process'
import {
  dedicatedServerId,
  findProjectServer,
  type ProjectServerRow,
  type Records,
  useProjectServers,
} from '@switchyard/records'
import type { Logger } from 'pino'
import type { ServerTimings } from './dedicated-server.ts'
import { busyDirectories } from './live-directories.ts'
import type { ServerFactory } from './server-factory.ts'
import { type Leasable, ServerLeases } from './server-leases.ts'

const REPORT_INTERVAL_MS = 2_000
/** A connection that is unused for so long is closed, ms. */
const UNUSED_MS = 60_000

export type ServerConnectionsOptions = {
  readonly records: Records
  readonly timings: ServerTimings
  readonly logger: Logger
}

class ServerConnection implements Leasable {
  readonly server: OpenCodeServer
  readonly leases = new ServerLeases()
  #usedAt = Date.now()

  constructor(server: OpenCodeServer) {
    this.server = server
  }

  /** Keeps the connection open for a while. Does not by itself keep the server running. */
  touch(): void {
    this.#usedAt = Date.now()
  }

  get isUsed(): boolean {
    const isUsed = this.leases.active > 0 || this.server.busy().length > 0
    if (isUsed) this.touch()
    return isUsed
  }

  get isExpired(): boolean {
    return !this.isUsed && Date.now() - this.#usedAt > UNUSED_MS
  }
}

export class ServerConnections {
  readonly #options: ServerConnectionsOptions
  readonly #open = new Map<string, ServerConnection>()
  readonly #reports: Repeating

  constructor(options: ServerConnectionsOptions) {
    this.#options = options
    this.#reports = repeat({
      name: 'report of used project servers',
      everyMs: REPORT_INTERVAL_MS,
      work: () => this.#report(),
      logger: options.logger,
    })
  }

  /** Returns the connection to the server of `row`, opened if necessary. */
  open({ project_id: key, live }: Pick<ProjectServerRow, 'project_id' | 'live'>, factory: ServerFactory): Leasable {
    const { timings, logger } = this.#options
    const existing = this.#open.get(key)
    existing?.touch()
    if (existing) return existing
    const launcher = this.#launcher(key, factory)
    const connection = new ServerConnection(OpenCodeServer.start({ launcher, logger, ...timings }))
    connection.server.checkForActivity(busyDirectories(live))
    this.#open.set(key, connection)
    return connection
  }

  /** Reads the address at every attempt: a server that was restarted may have another one. */
  #launcher(key: string, factory: ServerFactory): ServerLauncher {
    const id = dedicatedServerId(key)
    return {
      kind: 'remote',
      id,
      launch: async (options) => {
        const row = await findProjectServer(this.#options.records.db, key)
        if (!row?.url) throw new SwitchyardError('opencode_unavailable', "the project's own server is not running")
        return await remoteServer({ id, url: row.url, password: await factory.password(key) }).launch(options)
      },
    }
  }

  /** Writes to the record which servers are used, and closes expired connections. */
  async #report(): Promise<void> {
    const used: string[] = []
    for (const [key, connection] of this.#open) {
      if (connection.isUsed) used.push(key)
      else if (connection.isExpired) {
        this.#open.delete(key)
        await connection.server.close({ leave: true })
      }
    }
    await useProjectServers(this.#options.records.db, used)
  }

  async close(): Promise<void> {
    await this.#reports.stop()
    await Promise.all([...this.#open.values()].map((connection) => connection.server.close({ leave: true })))
  }
}
