// Finds the OpenCode server for a task, a session or a call: the shared one, or one dedicated to a
// project or an API key, which may run in this worker or in another one.

import { setTimeout as delay } from 'node:timers/promises'
import { type Isolation, SwitchyardError } from '@switchyard/contracts'
import type { OpenCodeServer } from '@switchyard/opencode'
import {
  dedicatedServerId,
  dedicatedServerKey,
  findProjectServer,
  takeBackStop,
  taskOfServer,
} from '@switchyard/records'
import { DedicatedServers, type DedicatedServersOptions } from './dedicated-servers.ts'
import { ServerConnections } from './server-connections.ts'
import {
  type ContinuesWork,
  callLease,
  type Leasable,
  type LeaseOptions,
  lease,
  leaseTimeout,
  type ServerLease,
  startsNewWork,
} from './server-leases.ts'
import { TaskServers } from './task-servers.ts'
import { WarmDirectories } from './warm-directories.ts'

/** How often a server that is not available yet is requested again, ms. */
const RETRY_MS = 500
/** How long `find` waits for a server that should be running, ms. */
const FIND_TIMEOUT_MS = 10_000

export type ServerPoolOptions = DedicatedServersOptions & {
  /** Null if all tasks run in containers. */
  readonly shared: OpenCodeServer | null
}

type ProjectOnServer = {
  readonly id: string
  readonly isolation: Isolation
  /** The server of the API key that the call is for; it replaces the project's. */
  readonly server?: string | null
}

export type RunningServer = { readonly id: string; readonly server: OpenCodeServer }

export class ServerPool {
  /** The warm directories of all servers. */
  readonly directories = new WarmDirectories()
  readonly shared: OpenCodeServer | null
  readonly #options: ServerPoolOptions
  /** Servers of single tasks. */
  readonly tasks: TaskServers
  readonly #dedicated: DedicatedServers
  readonly #connections: ServerConnections
  readonly #unsubscribeShared: () => void
  readonly #closing = new AbortController()

  constructor(options: ServerPoolOptions) {
    this.#options = options
    this.shared = options.shared
    this.#unsubscribeShared = options.shared ? options.onServer(options.shared) : () => {}
    this.#dedicated = new DedicatedServers(options)
    this.#connections = new ServerConnections(options)
    this.tasks = new TaskServers(options)
  }

  /**
   * Returns the directory with the data of a project's own server.
   *
   * @throws SwitchyardError `not_supported` if this installation cannot create servers for projects
   */
  directoryOf(key: string): string {
    return this.#dedicated.factory.directoryOf(key)
  }

  /** Returns whether servers dedicated to a project or an API key can be started now. */
  canStart(): boolean {
    return this.#options.factory?.isAvailable() ?? false
  }

  /**
   * Returns the id of the server of a project or of a call about it; null for the shared one. While
   * servers cannot be started, API keys share the one of all projects, as their tasks do.
   */
  serverIdOf({ id, isolation, server = null }: ProjectOnServer): string | null {
    if (server !== null && this.canStart()) return server
    return isolation === 'dedicated' ? dedicatedServerId(id) : null
  }

  /**
   * Leases the server of a task or of a project. An own server is started if necessary; a draining
   * one is waited for.
   *
   * @param id - `server_id` of a task, or {@link dedicatedServerId}.
   * @throws SwitchyardError `opencode_unavailable`; `not_supported` if servers cannot be created
   *   here; the signal's reason
   */
  async lease(
    id: string | null,
    { signal, withinMs, continuesWork = startsNewWork }: LeaseOptions = {},
  ): Promise<ServerLease> {
    const taskId = id === null ? undefined : taskOfServer(id)
    if (taskId !== undefined) return await this.tasks.lease(taskId, signal)
    const key = id === null ? undefined : dedicatedServerKey(id)
    if (key === undefined) return { server: this.#requireShared(), release: () => {} }
    const aborted = signal ? AbortSignal.any([signal, this.#closing.signal]) : this.#closing.signal
    const deadline = withinMs === undefined ? undefined : Date.now() + withinMs
    for (;;) {
      aborted.throwIfAborted()
      const leasable = await this.#open(key, continuesWork)
      if (leasable) return await lease(leasable, continuesWork, aborted, deadline)
      if (deadline !== undefined && Date.now() >= deadline)
        throw leaseTimeout(await findProjectServer(this.#options.records.db, key))
      await delay(RETRY_MS, undefined, { signal: aborted })
    }
  }

  /** @returns null while the server cannot be leased. */
  async #open(key: string, continuesWork: ContinuesWork): Promise<Leasable | null> {
    const claim = await this.#dedicated.claim(key, continuesWork)
    switch (claim.kind) {
      case 'local':
        return claim.dedicated
      case 'unavailable':
        return null
      case 'remote': {
        const connection = this.#connections.open(claim.row, this.#dedicated.factory)
        if (continuesWork(connection.server)) return connection
        if (claim.row.request === 'stop') await takeBackStop(this.#options.records.db, key)
        return claim.row.state === 'draining' ? null : connection
      }
    }
  }

  /**
   * Leases a project's server while `work` runs. For calls: it fails if the server does not become
   * available in time.
   */
  async with<T>(
    project: ProjectOnServer,
    work: (server: OpenCodeServer) => Promise<T>,
    signal?: AbortSignal,
  ): Promise<T> {
    const leased = await this.lease(this.serverIdOf(project), callLease(signal))
    try {
      return await work(leased.server)
    } finally {
      leased.release()
    }
  }

  /**
   * Returns the server that a project uses if it is running now, in any worker. It is neither
   * started nor leased, so it may stop.
   *
   * @returns undefined if it is not running.
   * @throws SwitchyardError `opencode_unavailable` if it is starting or has just stopped; the
   *   signal's reason
   */
  async find(project: ProjectOnServer, signal: AbortSignal): Promise<OpenCodeServer | undefined> {
    const id = this.serverIdOf(project)
    const key = id === null ? undefined : dedicatedServerKey(id)
    if (key === undefined) return this.#requireShared()
    const server = this.#dedicated.get(key)?.server ?? (await this.#connect(key))
    if (!server || server.state().status === 'stopped') return undefined
    const aborted = AbortSignal.any([signal, this.#closing.signal])
    await server.ready({ signal: aborted, timeoutMs: FIND_TIMEOUT_MS })
    return server
  }

  async #connect(key: string): Promise<OpenCodeServer | undefined> {
    const { records, factory } = this.#options
    const row = factory ? await findProjectServer(records.db, key) : undefined
    return row && factory && !NOT_RUNNING.has(row.state) ? this.#connections.open(row, factory).server : undefined
  }

  /** Returns the servers of this worker that are ready now. */
  running(): readonly RunningServer[] {
    const servers = [
      ...(this.shared ? [{ id: this.shared.id, server: this.shared }] : []),
      ...this.#dedicated.list().map(({ key, server }) => ({ id: dedicatedServerId(key), server })),
    ]
    return servers.filter(({ server }) => server.state().status === 'up')
  }

  /** Returns a server if this worker runs it now. It is not started. */
  peek(id: string | null): OpenCodeServer | undefined {
    const key = id === null ? undefined : dedicatedServerKey(id)
    return key === undefined ? (this.shared ?? undefined) : this.#dedicated.get(key)?.server
  }

  /** Returns the server that a project uses if this worker runs it now. It is not started. */
  runningFor(project: ProjectOnServer): OpenCodeServer | undefined {
    return this.peek(this.serverIdOf(project))
  }

  /**
   * Stops a project's own server and deletes everything that it has stored.
   *
   * @throws those of {@link DedicatedServers.remove}
   */
  async remove(key: string): Promise<void> {
    await this.#dedicated.remove(key)
  }

  /** Stops the child processes. Containers continue to run, for the next worker. */
  async close(): Promise<void> {
    const { logger } = this.#options
    this.#closing.abort(new SwitchyardError('worker_unavailable', 'the worker is stopping'))
    this.#unsubscribeShared()
    for (const result of await Promise.allSettled([
      this.tasks.close(),
      this.#dedicated.close(),
      this.#connections.close(),
    ]))
      if (result.status === 'rejected') logger.warn({ err: result.reason }, 'failed to release servers')
  }

  #requireShared(): OpenCodeServer {
    if (this.shared) return this.shared
    throw new SwitchyardError('opencode_unavailable', 'this worker has no OpenCode server')
  }
}

/** States of a server to which no connection is made. */
const NOT_RUNNING: ReadonlySet<string> = new Set(['stopping', 'stopped'])
