// The OpenCode servers that work here can use: the one that projects share, and those that projects have for themselves, which are
// started when they are needed and not before.

import { setTimeout as delay } from 'node:timers/promises'
import { type Isolation, SwitchyardError, type WorkerId } from '@switchyard/contracts'
import type { OpenCodeServer } from '@switchyard/opencode'
import { type Repeating, repeat } from '@switchyard/process'
import {
  claimProjectServer,
  findLeftServers,
  findProject,
  findProjectServer,
  forgetProjectServer,
  type ProjectServerRow,
  portsOfOthers,
  projectOfServer,
  projectServerId,
  type Records,
  releaseProjectServer,
  requestOfServer,
  takeBackStop,
  touchProjectServer,
} from '@switchyard/records'
import type { Logger } from 'pino'
import { type GoesOn, type KeeperSettings, type KeptOptions, KeptServer } from './dedicated-server.ts'
import { hold, inCall, nothing, notTaking, type ServerUse, type UseOptions } from './lease-options.ts'
import { busyIn } from './live-directories.ts'
import { type Visit, Visits } from './server-connections.ts'
import type { ServerMaker, ServerSettings } from './server-factory.ts'
import { WarmDirectories } from './warm-directories.ts'

/** How often the kept servers are looked at, ms. */
const LOOK_EVERY_MS = 2_000
/** How often servers are looked for whose worker is gone, in looks. */
const LEFT_EVERY = 10
/** How often a server that cannot be used yet is asked for again, ms. */
const AGAIN_MS = 500
/** How long it takes at most to say that a server that should run cannot be reached, ms. */
const FOUND_WITHIN_MS = 10_000
/** How long another worker may take to end a server that is to be removed, ms. */
const REMOVE_MS = 20_000

export type PoolOptions = {
  readonly workerId: WorkerId
  readonly records: Records
  /** Null where tasks run in containers alone. */
  readonly shared: OpenCodeServer | null
  /** Null where no server can be made here. */
  readonly maker: ServerMaker | null
  readonly settings: KeeperSettings
  readonly calls: KeptOptions['calls']
  /** Called with each server that this worker keeps, the shared one too. @returns a function that ends what it began. */
  readonly listen: (server: OpenCodeServer) => () => void
  readonly logger: Logger
}

type ProjectOnServer = { readonly id: string; readonly isolation: Isolation }

export type RunningServer = { readonly id: string; readonly server: OpenCodeServer }

export class ServerPool {
  /** The directories that were warmed ahead, on whichever server. */
  readonly directories = new WarmDirectories()
  readonly #options: PoolOptions
  readonly #kept = new Map<string, KeptServer>()
  readonly #visits: Visits
  readonly #listening = new Map<OpenCodeServer, () => void>()
  /** Servers that are being opened or ended, one step of each at a time. */
  readonly #steps = new Map<string, Promise<unknown>>()
  readonly #closing = new AbortController()
  readonly #looking: Repeating
  #round = 0

  constructor(options: PoolOptions) {
    this.#options = options
    this.#visits = new Visits(options)
    if (options.shared) this.#listen(options.shared)
    this.#looking = repeat({
      name: 'check of project servers',
      everyMs: LOOK_EVERY_MS,
      work: () => this.#look(),
      logger: options.logger,
    })
  }

  get #db(): Records['db'] {
    return this.#options.records.db
  }

  get shared(): OpenCodeServer | null {
    return this.#options.shared
  }

  /**
   * Where what is kept of a project's own server is.
   *
   * @throws SwitchyardError `not_supported` where this installation makes none
   */
  directoryOf(projectId: string): string {
    const { maker } = this.#options
    if (!maker) throw new SwitchyardError('not_supported', 'no server of a project’s own can be made here', NO_MAKER)
    return maker.directoryOf(projectId)
  }

  /**
   * The server of a task or of a project, started if need be; waits for one that is just being drained.
   *
   * @param id - `server_id` of a task, or {@link projectServerId}.
   * @throws SwitchyardError `opencode_unavailable`, `not_supported` where this installation makes none; the signal's reason
   */
  async use(id: string | null, { signal, withinMs, goesOn = nothing }: UseOptions = {}): Promise<ServerUse> {
    const projectId = id === null ? undefined : projectOfServer(id)
    const { shared } = this.#options
    if (projectId === undefined) {
      if (shared) return { server: shared, release: () => {} }
      throw new SwitchyardError('opencode_unavailable', 'this worker has no OpenCode server')
    }
    const until = signal ? AbortSignal.any([signal, this.#closing.signal]) : this.#closing.signal
    const ends = withinMs === undefined ? undefined : Date.now() + withinMs
    for (;;) {
      until.throwIfAborted()
      const opened = await this.#alone(projectId, () => this.#open(projectId, goesOn))
      if (opened) return await hold(opened, goesOn, until, ends)
      if (ends !== undefined && Date.now() >= ends) throw notTaking(await findProjectServer(this.#db, projectId))
      await delay(AGAIN_MS, undefined, { signal: until })
    }
  }

  /** Works with a project's server, for a call: its own where it has one, else the shared one. */
  async with<T>(
    project: ProjectOnServer,
    work: (server: OpenCodeServer) => Promise<T>,
    signal?: AbortSignal,
  ): Promise<T> {
    const use = await this.use(project.isolation === 'dedicated' ? projectServerId(project.id) : null, inCall(signal))
    try {
      return await work(use.server)
    } finally {
      use.release()
    }
  }

  /**
   * The server that a project is on, where it runs now, whichever worker keeps it: neither started for this nor kept from its end.
   *
   * @returns undefined where it rests.
   * @throws SwitchyardError `opencode_unavailable` where it is not there yet, or not any more; the signal's reason
   */
  async find({ id, isolation }: ProjectOnServer, signal: AbortSignal): Promise<OpenCodeServer | undefined> {
    if (isolation !== 'dedicated') return (await this.use(null)).server
    const server = this.#kept.get(id)?.server ?? (await this.#visit(id))
    if (!server || server.state().status === 'stopped') return undefined
    const until = AbortSignal.any([signal, this.#closing.signal])
    await server.ready({ signal: until, timeoutMs: FOUND_WITHIN_MS })
    return server
  }

  /** Another worker's, or one whose worker has just gone. */
  async #visit(projectId: string): Promise<OpenCodeServer | undefined> {
    const { maker } = this.#options
    const row = maker ? await findProjectServer(this.#db, projectId) : undefined
    return row && maker && !RESTING.has(row.state) ? this.#visits.open(row, maker).server : undefined
  }

  /** The servers that run now and can be used without waiting. */
  running(): readonly RunningServer[] {
    const { shared } = this.#options
    const ready = (server: OpenCodeServer) => server.state().status === 'up'
    return [
      ...(shared && ready(shared) ? [{ id: shared.id, server: shared }] : []),
      ...[...this.#kept].flatMap(([projectId, { server }]) =>
        ready(server) ? [{ id: projectServerId(projectId), server }] : [],
      ),
    ]
  }

  /** That server if it runs here now; never started for this. */
  peek(id: string | null): OpenCodeServer | undefined {
    const projectId = id === null ? undefined : projectOfServer(id)
    return projectId === undefined ? (this.shared ?? undefined) : this.#kept.get(projectId)?.server
  }

  /** The server that a project is on, if it runs here now; never started for this. */
  runningFor({ id, isolation }: ProjectOnServer): OpenCodeServer | undefined {
    return this.peek(isolation === 'dedicated' ? projectServerId(id) : null)
  }

  /**
   * Ends a project's own server, if it has one, and deletes all that it has kept: sessions, password, settings.
   *
   * @throws SwitchyardError `control_not_possible` where another worker has not ended it within the limit; `docker_unavailable` where
   *   it has a container and the engine is away
   */
  async remove(projectId: string): Promise<void> {
    const { records, maker } = this.#options
    const kept = this.#kept.get(projectId)
    const row = await findProjectServer(records.db, projectId)
    if (kept) await this.#alone(projectId, () => this.#end(kept))
    else if (await requestOfServer(records.db, projectId, 'stop')) await this.#untilStopped(projectId)
    await maker?.remove(projectId, (row?.kind ?? null) !== null)
    await forgetProjectServer(records.db, projectId)
  }

  async #untilStopped(projectId: string): Promise<void> {
    const until = Date.now() + REMOVE_MS
    while ((await findProjectServer(this.#options.records.db, projectId))?.state !== 'stopped') {
      if (Date.now() > until)
        throw new SwitchyardError('control_not_possible', 'the project’s own server still works', {
          hint: 'Cancel its tasks and abort its sessions first.',
        })
      await delay(AGAIN_MS, undefined, { signal: this.#closing.signal })
    }
  }

  /** One step of a server at a time: opened once, never opened while it is ended. */
  async #alone<T>(projectId: string, work: () => Promise<T>): Promise<T> {
    const step = (this.#steps.get(projectId) ?? Promise.resolve()).catch(() => {}).then(work)
    this.#steps.set(projectId, step)
    try {
      return await step
    } finally {
      if (this.#steps.get(projectId) === step) this.#steps.delete(projectId)
    }
  }

  /** @returns null while it cannot be used: it is drained, ended, or being started by another worker. */
  async #open(projectId: string, goesOn: GoesOn): Promise<KeptServer | Visit | null> {
    const kept = this.#kept.get(projectId)
    if (kept && kept.server.state().status !== 'stopped') return kept.takes(goesOn) ? kept : null
    // One that cannot be started at all is begun anew by whoever needs it next.
    if (kept) await this.#end(kept)
    const { records, workerId, maker } = this.#options
    if (!maker?.isPossible())
      throw new SwitchyardError('not_supported', 'no server of a project’s own can be made here', NO_MAKER)
    const row = await touchProjectServer(records.db, projectId)
    if (row.is_kept && row.worker_id !== workerId) {
      if (!THERE.has(row.state)) return null
      const visit = this.#visits.open(row, maker)
      if (goesOn(visit.server)) return visit
      if (row.request === 'stop') await takeBackStop(records.db, projectId)
      return row.state === 'draining' ? null : visit
    }
    const claimed = await claimProjectServer(records.db, projectId, workerId)
    return claimed ? this.#keep(claimed, maker) : null
  }

  #keep({ project_id: projectId, live }: ProjectServerRow, maker: ServerMaker): KeptServer {
    const { records, workerId, settings, calls, logger } = this.#options
    const launcher = maker.make({
      projectId,
      id: projectServerId(projectId),
      settings: () => this.#settingsOf(projectId),
    })
    const kept = new KeptServer({ projectId, workerId, records, launcher, calls, settings, logger })
    kept.server.learn(busyIn(live))
    this.#kept.set(projectId, kept)
    this.#listen(kept.server)
    kept.server.onState(this.#looking.runNow)
    logger.info({ project_id: projectId, kind: maker.kind }, 'a project’s own server is started')
    return kept
  }

  #listen(server: OpenCodeServer): void {
    this.#listening.set(server, this.#options.listen(server))
  }

  #deafen(server: OpenCodeServer): void {
    this.#listening.get(server)?.()
    this.#listening.delete(server)
  }

  async #settingsOf(projectId: string): Promise<ServerSettings> {
    const { records, settings } = this.#options
    const [project, row, taken] = await Promise.all([
      findProject(records.db, projectId),
      findProjectServer(records.db, projectId),
      portsOfOthers(records.db, projectId),
    ])
    return {
      environment: row?.environment ?? {},
      model: project?.model ?? null,
      port: row?.port ?? null,
      portsOfOthers: taken,
      memoryLimit: row?.memory_limit ?? settings.memoryLimit,
    }
  }

  async #look(): Promise<void> {
    const { logger } = this.#options
    for (const kept of [...this.#kept.values()]) {
      const verdict = await kept.look()
      if (verdict === 'kept') continue
      logger.info(
        { project_id: kept.projectId },
        verdict === 'idle' ? 'a server that nobody uses is ended' : 'a server is another’s now',
      )
      await this.#alone(kept.projectId, () => (verdict === 'idle' ? this.#end(kept) : this.#drop(kept)))
    }
    await this.#visits.look()
    if (this.#round++ % LEFT_EVERY === 0) await this.#takeUpLeft()
  }

  /** A server whose worker died: a process ended with it, a container runs on and needs somebody who ends it. */
  async #takeUpLeft(): Promise<void> {
    const { records, workerId, maker } = this.#options
    for (const projectId of await findLeftServers(records.db)) {
      if (this.#kept.has(projectId)) continue
      await this.#alone(projectId, async () => {
        const row = await claimProjectServer(records.db, projectId, workerId)
        if (!row) return
        if (maker?.kind === 'container' && row.container_id !== null) this.#keep(row, maker)
        else await releaseProjectServer(records.db, projectId, workerId, { left: false })
      })
    }
  }

  async #end(kept: KeptServer): Promise<void> {
    const { records, workerId } = this.#options
    const { error } = kept.server.state()
    this.#kept.delete(kept.projectId)
    this.#deafen(kept.server)
    await kept.server.close()
    const detail = error?.message ?? null
    await releaseProjectServer(records.db, kept.projectId, workerId, { left: false, detail })
  }

  /** It is another worker's: a container is left to it, a process of ours is no server of anybody's. */
  async #drop(kept: KeptServer): Promise<void> {
    this.#kept.delete(kept.projectId)
    this.#deafen(kept.server)
    await kept.server.close({ leave: kept.server.kind === 'container' })
  }

  /** Ends the processes; containers run on for the next worker. */
  async close(): Promise<void> {
    const { records, workerId, logger } = this.#options
    this.#closing.abort(new SwitchyardError('worker_unavailable', 'the worker stops'))
    await this.#looking.stop()
    for (const server of [...this.#listening.keys()]) this.#deafen(server)
    const left = [...this.#kept.values()].map(async (kept) => {
      const leave = kept.server.kind === 'container'
      await kept.server.close({ leave })
      await releaseProjectServer(records.db, kept.projectId, workerId, { left: leave })
    })
    for (const result of await Promise.allSettled([...left, this.#visits.close()]))
      if (result.status === 'rejected') logger.warn({ err: result.reason }, 'a server was not given back')
  }
}

const NO_MAKER = {
  hint: 'Start the stack with --profile docker, or register the project with isolation "shared".',
} as const

/** States in which another worker's server can be reached. */
const THERE: ReadonlySet<string> = new Set(['up', 'busy', 'draining'])

/** States in which nothing can work on a server. */
const RESTING: ReadonlySet<string> = new Set(['stopping', 'stopped'])
