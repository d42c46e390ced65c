// The containers of projects' own OpenCode servers: finds, starts, measures and removes them.

import { SwitchyardError } from '@switchyard/contracts'
import type Docker from 'dockerode'
import { rethrowAsGone } from './container-log.ts'
import { call, createContainer, type Engine, statusOf } from './engine.ts'
import {
  createServerBody,
  type ProjectServer,
  SERVER_PORT,
  type ServerContainerSettings,
  serverName,
} from './server-container.ts'

/** How long a server may take to exit after SIGTERM before the engine kills it, seconds. */
const STOP_S = 5

export type ServerContainer = {
  readonly id: string
  readonly isRunning: boolean
  readonly outOfMemory: boolean
  /** The server's address within its network. */
  readonly url: string
}

/** The container is stopped already, does not exist, or is being removed. */
const ALREADY_DONE: ReadonlySet<number | undefined> = new Set([304, 404, 409])

export class ServerContainers {
  readonly #engine: Engine
  readonly #settings: ServerContainerSettings

  constructor(engine: Engine, settings: ServerContainerSettings) {
    this.#engine = engine
    this.#settings = settings
  }

  get #docker(): Docker {
    return this.#engine.docker
  }

  /** Returns false when the engine's socket does not exist. */
  isAvailable(): boolean {
    return this.#engine.isAvailable()
  }

  /** Returns a project's container, whichever worker created it. @throws SwitchyardError `docker_unavailable` */
  async find(projectId: string): Promise<ServerContainer | undefined> {
    return await this.inspect(serverName(this.#settings.stack, projectId))
  }

  /** @param id - the container's id or name. @returns undefined when it does not exist */
  async inspect(id: string): Promise<ServerContainer | undefined> {
    try {
      const found = await call('inspect the server container', () => this.#docker.getContainer(id).inspect())
      const { Id, Name, State, NetworkSettings } = found
      const address = NetworkSettings.Networks[this.#settings.network]?.IPAddress
      // Containers of the same network can also resolve its name.
      const url = `http://${address || Name.slice(1)}:${SERVER_PORT}`
      return { id: Id, isRunning: State.Running, outOfMemory: State.OOMKilled, url }
    } catch (error) {
      if (statusOf(error) === 404) return undefined
      throw error
    }
  }

  /**
   * Creates and starts a project's container.
   *
   * @throws SwitchyardError `docker_unavailable`, `disk_full`, `forbidden`, `container_failed`, `container_gone`
   */
  async start(server: ProjectServer): Promise<ServerContainer> {
    const name = serverName(this.#settings.stack, server.projectId)
    const body = createServerBody(this.#settings, server)
    const id = await call('create the server container', () => createContainer(this.#docker, name, body))
    await call('start the server container', () => this.#docker.getContainer(id).start())
    const started = await this.inspect(id)
    if (started) return started
    throw new SwitchyardError('container_gone', 'the server container was removed')
  }

  /**
   * Returns the memory that the server uses, in bytes, without inactive page cache, which the kernel reclaims when needed.
   *
   * @returns undefined when the engine reports no figure
   * @throws SwitchyardError `container_gone`
   */
  async memory(id: string): Promise<number | undefined> {
    const { memory_stats: memory } = await call('measure the server container', () =>
      this.#docker.getContainer(id).stats({ stream: false, 'one-shot': true }),
    ).catch(rethrowAsGone)
    return memory.usage === undefined ? undefined : memory.usage - (memory.stats?.inactive_file ?? 0)
  }

  /** Stops and removes a container, if it exists. The server's data stays. */
  async remove(id: string, how: 'stop' | 'kill'): Promise<void> {
    const container = this.#docker.getContainer(id)
    const ensure = async (what: string, make: () => Promise<unknown>): Promise<void> => {
      await call(what, make).catch((error: unknown) => {
        if (!ALREADY_DONE.has(statusOf(error))) throw error
      })
    }
    if (how === 'stop') await ensure('stop the server container', () => container.stop({ t: STOP_S }))
    await ensure('remove the server container', () => container.remove({ force: true }))
  }

  /** Deletes the data of a project's server. Its container must have been removed. */
  async deleteData(projectId: string): Promise<void> {
    const volume = this.#docker.getVolume(serverName(this.#settings.stack, projectId))
    await call('remove the server data', () => volume.remove()).catch((error: unknown) => {
      if (statusOf(error) !== 404) throw error
    })
  }
}
