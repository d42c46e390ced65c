// The dedicated servers that this worker runs, of projects and of API keys: starts them, checks them every two seconds,
// stops them when they are idle, and adopts those of workers that died. The record names one worker
// for each server.

import { setTimeout as delay } from 'node:timers/promises'
import { SwitchyardError, type WorkerId } from '@switchyard/contracts'
import type { OpenCodeServer } from '@switchyard/opencode'
import { type Repeating, repeat } from '@switchyard/process'
import {
  claimProjectServer,
  dedicatedServerId,
  findLeftServers,
  findProjectServer,
  forgetProjectServer,
  type ProjectServerRow,
  type Records,
  releaseProjectServer,
  requestOfServer,
  touchProjectServer,
} from '@switchyard/records'
import type { Logger } from 'pino'
import { DedicatedServer, type DedicatedServerLimits, type ServerTimings } from './dedicated-server.ts'
import { KeyedMutex } from './keyed-mutex.ts'
import { busyDirectories } from './live-directories.ts'
import type { ServerFactory } from './server-factory.ts'
import type { ContinuesWork } from './server-leases.ts'
import { readServerSettings } from './server-settings.ts'

const CHECK_INTERVAL_MS = 2_000
/** Servers without a living worker are searched for in every tenth check. */
const CHECKS_PER_SEARCH = 10
/** How long another worker may take to stop a server that is to be removed, ms. */
const REMOVE_TIMEOUT_MS = 20_000
const REMOVE_POLL_MS = 500

export type DedicatedServersOptions = {
  readonly workerId: WorkerId
  readonly records: Records
  /** Null if this installation cannot create servers for projects. */
  readonly factory: ServerFactory | null
  readonly limits: DedicatedServerLimits
  readonly timings: ServerTimings
  /** Subscribes to a server that this worker runs. @returns a function that unsubscribes. */
  readonly onServer: (server: OpenCodeServer) => () => void
  readonly logger: Logger
}

/** Where a project's own server is, for a caller that wants to use it. */
export type Claim =
  | { readonly kind: 'local'; readonly dedicated: DedicatedServer }
  | { readonly kind: 'remote'; readonly row: ProjectServerRow }
  /** It is draining or stopping, or another worker is starting it. */
  | { readonly kind: 'unavailable' }

const UNAVAILABLE: Claim = { kind: 'unavailable' }

export class DedicatedServers {
  readonly #options: DedicatedServersOptions
  readonly #running = new Map<string, DedicatedServer>()
  /** A server is started once, and never while it is being stopped. */
  readonly #mutex = new KeyedMutex()
  readonly #closing = new AbortController()
  readonly #checks: Repeating
  #checkCount = 0

  constructor(options: DedicatedServersOptions) {
    this.#options = options
    this.#checks = repeat({
      name: 'check of project servers',
      everyMs: CHECK_INTERVAL_MS,
      work: () => this.#checkAll(),
      logger: options.logger,
    })
  }

  /**
   * @throws SwitchyardError `not_supported` if this installation cannot create servers for projects
   */
  get factory(): ServerFactory {
    const { factory } = this.#options
    if (factory) return factory
    throw notSupported()
  }

  get(key: string): DedicatedServer | undefined {
    return this.#running.get(key)
  }

  list(): readonly DedicatedServer[] {
    return [...this.#running.values()]
  }

  /**
   * Finds the worker that runs a project's server. If no living worker does, this one starts it.
   *
   * @throws SwitchyardError `not_supported` if servers cannot be created here
   */
  async claim(key: string, continuesWork: ContinuesWork): Promise<Claim> {
    return await this.#mutex.run(key, () => this.#claim(key, continuesWork))
  }

  async #claim(key: string, continuesWork: ContinuesWork): Promise<Claim> {
    const dedicated = this.#running.get(key)
    if (dedicated && dedicated.server.state().status !== 'stopped')
      return dedicated.accepts(continuesWork) ? { kind: 'local', dedicated } : UNAVAILABLE
    // It failed to start so often that it is no longer retried: the next caller starts it again.
    if (dedicated) await this.#stop(dedicated)
    const { records, workerId, factory } = this.#options
    if (!factory?.isAvailable()) throw notSupported()
    const row = await touchProjectServer(records.db, key)
    if (row.is_kept && row.worker_id !== workerId)
      return REACHABLE.has(row.state) ? { kind: 'remote', row } : UNAVAILABLE
    const claimed = await claimProjectServer(records.db, key, workerId)
    return claimed ? { kind: 'local', dedicated: this.#start(claimed, factory) } : UNAVAILABLE
  }

  #start({ project_id: key, live }: ProjectServerRow, factory: ServerFactory): DedicatedServer {
    const { records, workerId, limits, timings, onServer, logger } = this.#options
    const launcher = factory.createLauncher({
      key,
      id: dedicatedServerId(key),
      settings: () => readServerSettings(records, key),
    })
    const dedicated = new DedicatedServer({
      key,
      workerId,
      records,
      launcher,
      timings,
      limits,
      onServer,
      logger,
    })
    dedicated.server.checkForActivity(busyDirectories(live))
    this.#running.set(key, dedicated)
    dedicated.server.onState(this.#checks.runNow)
    logger.info({ server: key, kind: factory.kind }, 'starting dedicated server')
    return dedicated
  }

  async #checkAll(): Promise<void> {
    const { logger } = this.#options
    for (const dedicated of this.list()) {
      const outcome = await dedicated.check()
      const { key } = dedicated
      if (outcome === 'in_service') continue
      logger.info(
        { server: key },
        outcome === 'idle' ? 'dedicated server is idle; stopping' : 'dedicated server belongs to another worker now',
      )
      await this.#mutex.run(key, () => (outcome === 'idle' ? this.#stop(dedicated) : this.#abandon(dedicated)))
    }
    if (this.#checkCount++ % CHECKS_PER_SEARCH === 0) await this.#adoptOrphans()
  }

  /**
   * Takes over the servers of workers that died. A child process died with its worker; a container
   * still runs.
   */
  async #adoptOrphans(): Promise<void> {
    const { records, workerId, factory } = this.#options
    for (const key of await findLeftServers(records.db)) {
      if (this.#running.has(key)) continue
      await this.#mutex.run(key, async () => {
        const row = await claimProjectServer(records.db, key, workerId)
        if (!row) return
        if (factory?.kind === 'container' && row.container_id !== null) this.#start(row, factory)
        else await releaseProjectServer(records.db, key, workerId, { left: false })
      })
    }
  }

  async #stop(dedicated: DedicatedServer): Promise<void> {
    const { records, workerId } = this.#options
    const { key, server } = dedicated
    const { error } = server.state()
    this.#running.delete(key)
    await dedicated.close({ leaveRunning: false })
    await releaseProjectServer(records.db, key, workerId, { left: false, detail: error?.message ?? null })
  }

  /**
   * Another worker runs the server now: a container is left to it, a child process is of no use to
   * it.
   */
  async #abandon(dedicated: DedicatedServer): Promise<void> {
    this.#running.delete(dedicated.key)
    await dedicated.close({ leaveRunning: isContainer(dedicated) })
  }

  /**
   * Stops a project's own server, if there is one, and deletes everything that it has stored:
   * sessions, password, settings.
   *
   * @throws SwitchyardError `control_not_possible` if another worker does not stop it within the
   *   limit; `docker_unavailable` if it is a container and the engine does not answer
   */
  async remove(key: string): Promise<void> {
    const { records, factory } = this.#options
    const dedicated = this.#running.get(key)
    const row = await findProjectServer(records.db, key)
    if (dedicated) await this.#mutex.run(key, () => this.#stop(dedicated))
    else if (await requestOfServer(records.db, key, 'stop')) await this.#untilStopped(key)
    await factory?.remove(key, (row?.kind ?? null) !== null)
    await forgetProjectServer(records.db, key)
  }

  async #untilStopped(key: string): Promise<void> {
    const deadline = Date.now() + REMOVE_TIMEOUT_MS
    while ((await findProjectServer(this.#options.records.db, key))?.state !== 'stopped') {
      if (Date.now() > deadline)
        throw new SwitchyardError('control_not_possible', "the project's own server is still busy", {
          hint: 'Cancel its tasks and abort its sessions first.',
        })
      await delay(REMOVE_POLL_MS, undefined, { signal: this.#closing.signal })
    }
  }

  /** Stops the child processes. Containers continue to run, for the next worker. */
  async close(): Promise<void> {
    const { records, workerId, logger } = this.#options
    this.#closing.abort(new SwitchyardError('worker_unavailable', 'the worker is stopping'))
    await this.#checks.stop()
    const releases = this.list().map(async (dedicated) => {
      const leaveRunning = isContainer(dedicated)
      await dedicated.close({ leaveRunning })
      await releaseProjectServer(records.db, dedicated.key, workerId, { left: leaveRunning })
    })
    for (const result of await Promise.allSettled(releases))
      if (result.status === 'rejected') logger.warn({ err: result.reason }, 'failed to release a project server')
  }
}

/** States in which another worker's server can be used. */
const REACHABLE: ReadonlySet<string> = new Set(['up', 'busy', 'draining'])

const isContainer = ({ server }: DedicatedServer): boolean => server.kind === 'container'

const notSupported = (): SwitchyardError =>
  new SwitchyardError('not_supported', 'this installation cannot create a server for one project', {
    hint: 'Start the stack with --profile docker, or register the project with isolation "shared".',
  })
