// Containers of projects' own servers: made, found again, measured, ended.

import { SwitchyardError } from '@switchyard/contracts'
import type Docker from 'dockerode'
import { gone } from './container-log.ts'
import { call, createContainer, type Engine, statusOf } from './engine.ts'
import {
  createServerBody,
  type ProjectServer,
  SERVER_PORT,
  type ServerContainerSettings,
  serverName,
} from './server-spec.ts'

/** How long one may take to end by itself once it is told to, seconds. */
const STOP_S = 5

export type ServerContainer = {
  readonly id: string
  readonly isRunning: boolean
  readonly outOfMemory: boolean
  /** Where whoever is on its network reaches it. */
  readonly url: string
}

const GONE: ReadonlySet<number | undefined> = new Set([304, 404, 409])

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

  /** False where there is no Docker engine to ask. */
  isAvailable(): boolean {
    return this.#engine.isAvailable()
  }

  /** A project's container, whoever made it. @throws SwitchyardError `docker_unavailable` */
  async find(projectId: string): Promise<ServerContainer | undefined> {
    return await this.inspect(serverName(this.#settings.stack, projectId))
  }

  /** @param id - or name. @returns undefined where there is none */
  async inspect(id: string): Promise<ServerContainer | undefined> {
    try {
      const found = await call('looking at a server', () => this.#docker.getContainer(id).inspect())
      const { Id, Name, State, NetworkSettings } = found
      const address = NetworkSettings.Networks[this.#settings.network]?.IPAddress
      // Its name is its host's, for whoever has the engine's name server.
      const url = `http://${address || Name.slice(1)}:${SERVER_PORT}`
      return { id: Id, isRunning: State.Running, outOfMemory: State.OOMKilled, url }
    } catch (error) {
      if (statusOf(error) === 404) return undefined
      throw error
    }
  }

  /**
   * @throws SwitchyardError `docker_unavailable`, `disk_full`, `forbidden`, `container_failed`, `container_gone`
   */
  async start(server: ProjectServer): Promise<ServerContainer> {
    const name = serverName(this.#settings.stack, server.projectId)
    const body = createServerBody(this.#settings, server)
    const id = await call('making a server', () => createContainer(this.#docker, name, body))
    await call('starting a server', () => this.#docker.getContainer(id).start())
    const started = await this.inspect(id)
    if (started) return started
    throw new SwitchyardError('container_gone', 'the server’s container was removed')
  }

  /** Bytes, without what the kernel would give back: the page cache that nobody uses. @throws SwitchyardError `container_gone` */
  async memory(id: string): Promise<number | undefined> {
    const { memory_stats: memory } = await call('measuring a server', () =>
      this.#docker.getContainer(id).stats({ stream: false, 'one-shot': true }),
    ).catch(gone)
    return memory.usage === undefined ? undefined : memory.usage - (memory.stats?.inactive_file ?? 0)
  }

  /** Ends and removes it; what it has kept stays. One that is gone already is fine. */
  async remove(id: string, how: 'stop' | 'kill'): Promise<void> {
    const container = this.#docker.getContainer(id)
    const tell = async (what: string, make: () => Promise<unknown>): Promise<void> => {
      await call(what, make).catch((error: unknown) => {
        if (!GONE.has(statusOf(error))) throw error
      })
    }
    if (how === 'stop') await tell('stopping a server', () => container.stop({ t: STOP_S }))
    await tell('removing a server', () => container.remove({ force: true }))
  }

  /** Deletes what a project's server has kept. Its container must be gone. */
  async deleteData(projectId: string): Promise<void> {
    const volume = this.#docker.getVolume(serverName(this.#settings.stack, projectId))
    await call('removing a server’s data', () => volume.remove()).catch((error: unknown) => {
      if (statusOf(error) !== 404) throw error
    })
  }
}
