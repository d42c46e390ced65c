// Servers for single tasks that have to run alone. Each belongs to the run of its task: it is started
// for the run and stopped with it, and its data is removed once the session has been copied back.

import { readdir } from 'node:fs/promises'
import path from 'node:path'
import { SwitchyardError, type TaskId } from '@switchyard/contracts'
import { OpenCodeServer } from '@switchyard/opencode'
import {
  dedicatedServerKey,
  findTaskRow,
  portsOfOthers,
  type Records,
  settleOwnServer,
  taskServerId,
} from '@switchyard/records'
import type { Logger } from 'pino'
import type { ServerTimings } from './dedicated-server.ts'
import type { ServerFactory } from './server-factory.ts'
import type { ServerLease } from './server-leases.ts'
import { type DedicatedServerSettings, readServerSettings } from './server-settings.ts'

/** How long after the end of a task its server is no longer in use, ms. */
const UNUSED_AFTER_MS = 5 * 60_000

export type TaskServersOptions = {
  readonly records: Records
  /** Null if this installation cannot create servers. */
  readonly factory: ServerFactory | null
  readonly timings: ServerTimings
  /** Subscribes to a server that this worker runs. @returns a function that unsubscribes. */
  readonly onServer: (server: OpenCodeServer) => () => void
  readonly logger: Logger
}

export class TaskServers {
  readonly #options: TaskServersOptions
  /** The servers that run, each with the end of its subscription. */
  readonly #open = new Map<OpenCodeServer, () => void>()
  /** The stop of each task's last server. The next one uses the same data. */
  readonly #stops = new Map<TaskId, Promise<void>>()

  constructor(options: TaskServersOptions) {
    this.#options = options
  }

  get isAvailable(): boolean {
    return this.#options.factory?.isAvailable() === true
  }

  /**
   * Starts the server of a task. The caller is the task's only run; `release` stops the server.
   *
   * @throws SwitchyardError `not_supported` if servers cannot be created here; those of `ready`
   */
  async lease(taskId: TaskId, signal: AbortSignal | undefined): Promise<ServerLease> {
    const { timings, onServer, logger } = this.#options
    await this.#stops.get(taskId)
    const launcher = this.#factory.createLauncher({
      key: taskId,
      id: taskServerId(taskId),
      settings: () => this.#settings(taskId),
    })
    const server = OpenCodeServer.start({ launcher, logger, ...timings })
    this.#open.set(server, onServer(server))
    logger.info({ task_id: taskId }, 'starting a server for one task')
    const release = (): void => {
      if (!this.#forget(server)) return
      const stop = server
        .close()
        .catch((error: Error) => logger.warn({ task_id: taskId, err: error.message }, "failed to stop a task's server"))
        .finally(() => this.#stops.delete(taskId))
      this.#stops.set(taskId, stop)
    }
    try {
      await server.ready(signal ? { signal } : {})
      return { server, release }
    } catch (error) {
      release()
      throw error
    }
  }

  /** Stops the server of a task and removes everything that it has stored. */
  async remove(taskId: TaskId, server: OpenCodeServer): Promise<void> {
    this.#forget(server)
    await server.close()
    await this.#factory.remove(taskId, true)
  }

  /** Removes the data of the servers of ended tasks whose worker was killed before it could. */
  async removeLeftovers(root: string): Promise<void> {
    const { factory, records, logger } = this.#options
    if (!factory?.isAvailable()) return
    const names: readonly string[] = await readdir(root).catch(() => [])
    for (const id of names.filter((name): name is TaskId => name.startsWith('task_'))) {
      const row = await findTaskRow(records.db, id)
      // A task that has just ended may still use it to copy its session back.
      if (row && Date.now() - (row.completed_at?.getTime() ?? Date.now()) < UNUSED_AFTER_MS) continue
      await factory.remove(id, true)
      await settleOwnServer(records.db, id, null)
      logger.info({ task_id: id, directory: path.join(root, id) }, "removed the data of an ended task's server")
    }
  }

  /** Stops the servers. Their sessions stay, for the next owners of the tasks. */
  async close(): Promise<void> {
    await Promise.all([...this.#stops.values(), ...[...this.#open.keys()].map((server) => server.close())])
  }

  /** @returns whether the server was open */
  #forget(server: OpenCodeServer): boolean {
    this.#open.get(server)?.()
    return this.#open.delete(server)
  }

  get #factory(): ServerFactory {
    const { factory } = this.#options
    if (factory) return factory
    throw new SwitchyardError('not_supported', 'this installation cannot create a server for one task')
  }

  /** Returns what the server would have that the task would use otherwise, but for the port. */
  async #settings(taskId: TaskId): Promise<DedicatedServerSettings> {
    const { records } = this.#options
    const row = await findTaskRow(records.db, taskId)
    const home = row?.home_server_id ?? row?.server_id ?? null
    const key = home === null ? undefined : dedicatedServerKey(home)
    if (key !== undefined) return { ...(await readServerSettings(records, key)), port: null }
    return { environment: {}, model: null, port: null, reservedPorts: await portsOfOthers(records.db, taskId) }
  }
}
