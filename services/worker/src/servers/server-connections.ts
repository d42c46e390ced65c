// Projects' servers that other workers keep, as this worker uses them: connected to while they are used, never started or ended.

import { SwitchyardError } from '@switchyard/contracts'
import { OpenCodeServer, remoteServer, type ServerLauncher } from '@switchyard/opencode'
import {
  findProjectServer,
  type ProjectServerRow,
  projectServerId,
  type Records,
  useProjectServers,
} from '@switchyard/records'
import type { Logger } from 'pino'
import type { KeptOptions } from './dedicated-server.ts'
import { busyIn } from './live-directories.ts'
import type { ServerMaker } from './server-factory.ts'
import { Holds } from './server-leases.ts'

/** How long a connection is kept without use, ms. */
const UNUSED_MS = 60_000

export type VisitOptions = {
  readonly records: Records
  readonly calls: KeptOptions['calls']
  readonly logger: Logger
}

export class Visit {
  readonly server: OpenCodeServer
  readonly holds = new Holds()
  #usedAt = Date.now()

  constructor(server: OpenCodeServer) {
    this.server = server
  }

  /** Keeps the connection for a while, and not the server. */
  touch(): void {
    this.#usedAt = Date.now()
  }

  get isUsed(): boolean {
    const isUsed = this.holds.now > 0 || this.server.busy().length > 0
    if (isUsed) this.#usedAt = Date.now()
    return isUsed
  }

  get isOld(): boolean {
    return !this.isUsed && Date.now() - this.#usedAt > UNUSED_MS
  }
}

export class Visits {
  readonly #options: VisitOptions
  readonly #open = new Map<string, Visit>()

  constructor(options: VisitOptions) {
    this.#options = options
  }

  /** The connection to a server that another worker keeps. */
  open({ project_id: projectId, live }: Pick<ProjectServerRow, 'project_id' | 'live'>, maker: ServerMaker): Visit {
    const { calls, logger } = this.#options
    const known = this.#open.get(projectId)
    known?.touch()
    if (known) return known
    const visit = new Visit(OpenCodeServer.start({ launcher: this.#launcher(projectId, maker), logger, ...calls }))
    visit.server.learn(busyIn(live))
    this.#open.set(projectId, visit)
    return visit
  }

  /** Looks up at every try where it is: one that was started anew may be elsewhere. */
  #launcher(projectId: string, maker: ServerMaker): ServerLauncher {
    const id = projectServerId(projectId)
    return {
      kind: 'remote',
      id,
      launch: async (options) => {
        const row = await findProjectServer(this.#options.records.db, projectId)
        if (!row?.url) throw new SwitchyardError('opencode_unavailable', 'the project’s server is not there now')
        return await remoteServer({ id, url: row.url, password: await maker.password(projectId) }).launch(options)
      },
    }
  }

  /** Tells the record what is used, so that its worker does not end it, and leaves what is not. */
  async look(): Promise<void> {
    const used: string[] = []
    for (const [projectId, visit] of this.#open) {
      if (visit.isUsed) used.push(projectId)
      else if (visit.isOld) {
        this.#open.delete(projectId)
        await visit.server.close({ leave: true })
      }
    }
    await useProjectServers(this.#options.records.db, used)
  }

  async close(): Promise<void> {
    await Promise.all([...this.#open.values()].map((visit) => visit.server.close({ leave: true })))
  }
}
