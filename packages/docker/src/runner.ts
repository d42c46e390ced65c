// Containers of tasks: made, found again, followed, frozen, stopped, removed.

import { SwitchyardError } from '@switchyard/contracts'
import type Docker from 'dockerode'
import type { Logger } from 'pino'
import { gone, type LogOptions, readLog } from './container-log.ts'
import { createBody, type RunnerNetwork, type RunnerSettings, type Turn } from './container-spec.ts'
import { call, createContainer, type Engine, fromEngine, messageOf, statusOf } from './engine.ts'
import { nameOf, PROMPT, STACK, TASK } from './labels.ts'
import { joinedHolder, joinHolder, Namespaces } from './namespaces.ts'
import type { OutputLine } from './output.ts'
import { createRunnerNetwork, type RunnerNetworkOptions, removeRunnerNetwork } from './runner-network.ts'

/** How long a container may take to end by itself once it is told to, seconds. */
const STOP_S = 3

export type RunnerOptions = {
  readonly engine: Engine
  readonly settings: RunnerSettings
  /** A network and a proxy that are there; default: our own, made at the first container. */
  readonly runnerNetwork?: RunnerNetwork
  readonly egress: Pick<RunnerNetworkOptions, 'image' | 'allow' | 'deny'>
  /** One at a time of all workers on this engine: it makes two networks of one name where two ask for it at once. */
  readonly exclusively: <T>(work: () => Promise<T>) => Promise<T>
  readonly workerId: string
  /** The workers that are there, this one or not: they may need what was made for all. */
  readonly liveWorkers: () => Promise<ReadonlySet<string>>
  /** How many network namespaces are kept ready: as many as containers may be started at once. */
  readonly namespaces: number
  readonly logger: Logger
}

export type RunnerContainer = {
  readonly id: string
  readonly taskId: string
  readonly promptId: string
  readonly status: 'created' | 'running' | 'paused' | 'ended'
}

export type ContainerState = {
  readonly status: RunnerContainer['status']
  /** Once it has ended. */
  readonly exitCode: number
  readonly outOfMemory: boolean
}

const STATUS: Readonly<Record<string, RunnerContainer['status']>> = {
  created: 'created',
  running: 'running',
  restarting: 'running',
  paused: 'paused',
}

/** The engine has no container of that id; it answers 404 also for a network that is not there. */
const isNoContainer = (error: unknown, id: string): boolean => messageOf(error).includes(`No such container: ${id}`)

const isLostNamespace = (error: unknown): boolean =>
  /cannot join network of a non running container|No such container/i.test(messageOf(error))

const isMissingProgram = (message: string): boolean =>
  /executable file not found|no such file or directory|exec format error|permission denied/i.test(message)

export class Runner {
  readonly #options: RunnerOptions
  readonly #namespaces: Namespaces
  #runnerNetwork: Promise<RunnerNetwork> | undefined
  /** What each container was lent, by the container's id. */
  readonly #leased = new Map<string, string>()

  constructor(options: RunnerOptions) {
    this.#options = options
    const { engine, settings, workerId: owner, namespaces: count, liveWorkers: liveOwners, logger } = options
    this.#namespaces = new Namespaces({ docker: engine.docker, settings, owner, count, liveOwners, logger })
  }

  get #docker(): Docker {
    return this.#options.engine.docker
  }

  /** False where there is no Docker engine to ask: its socket is not there. */
  isAvailable(): boolean {
    return this.#options.engine.isAvailable()
  }

  /** The engine's version. @throws SwitchyardError `docker_unavailable` */
  async version(): Promise<string> {
    return (await call('asking the Docker engine', () => this.#docker.version())).Version
  }

  /** @throws SwitchyardError `runner_image_missing`, `docker_unavailable` */
  async requireImage(): Promise<void> {
    const { image } = this.#options.settings
    await call('looking for the image', () => this.#docker.getImage(image).inspect()).catch((error: unknown) => {
      if (statusOf(error) === 404) throw imageMissing(image)
      throw error
    })
  }

  /** The containers of one task, oldest first; without one, of all tasks of this installation. */
  async find(taskId?: string): Promise<readonly RunnerContainer[]> {
    const label = [`${STACK}=${this.#options.settings.stack}`, taskId === undefined ? TASK : `${TASK}=${taskId}`]
    const found = await call('looking for containers', () =>
      this.#docker.listContainers({ all: true, filters: { label } }),
    )
    return found
      .toSorted((a, b) => a.Created - b.Created)
      .map((each) => ({
        id: each.Id,
        taskId: each.Labels[TASK] ?? '',
        promptId: each.Labels[PROMPT] ?? '',
        status: STATUS[each.State] ?? 'ended',
      }))
  }

  /**
   * Makes and starts the container of a turn; where it is there already, that one.
   *
   * @param made - its id as `create` gave it, if it did.
   * @returns its id.
   * @throws SwitchyardError `runner_image_missing`, `runner_image_invalid`, `docker_unavailable`, `disk_full`, `forbidden`,
   *   `container_failed`
   */
  async start(turn: Turn, made?: string): Promise<string> {
    const id = made ?? (await this.create(turn))
    try {
      await call('starting the container', () => this.#docker.getContainer(id).start())
      return id
    } catch (error) {
      // 304: it runs already.
      if (statusOf(error) === 304) return id
      if (made !== undefined && statusOf(error) === 404 && isNoContainer(error, id)) return await this.start(turn)
      const holder = this.#leased.get(id)
      if (holder === undefined || !isLostNamespace(error)) throw this.#startFailure(error)
      this.#namespaces.discard(holder)
      await this.remove(id)
      return await this.start(turn)
    }
  }

  /**
   * Makes the container of a turn without starting it, while what it is to find is still being made. `turn.root` must be there.
   *
   * @returns its id. @throws as `start`
   */
  async create(turn: Turn): Promise<string> {
    return await this.#namespaces.lease((holder) => this.#make(turn, holder))
  }

  async #make(turn: Turn, lent: string | undefined): Promise<string> {
    const { settings } = this.#options
    let holder = lent
    const name = nameOf(settings.stack, turn.taskId, turn.promptId)
    for (let tries = 0; ; tries += 1) {
      const runnerNetwork = await this.#openNetwork()
      try {
        const body = createBody(
          settings,
          turn,
          holder === undefined ? runnerNetwork : { ...runnerNetwork, network: joinHolder(holder) },
        )
        const id = await call('making the container', () => createContainer(this.#docker, name, body))
        if (holder !== undefined) this.#leased.set(id, holder)
        return id
      } catch (error) {
        if (statusOf(error) === 409) {
          // Made before, by us or by an owner that is gone: it is the container of this very prompt.
          const found = await call('looking for the container', () => this.#docker.getContainer(name).inspect())
          if (holder !== undefined && joinedHolder(found.HostConfig.NetworkMode) !== holder)
            this.#namespaces.release(holder)
          return found.Id
        }
        if (statusOf(error) !== 404) throw error
        if (/no such image/i.test(messageOf(error))) throw imageMissing(settings.image)
        // The network was taken away since it was made, or whatever was in it.
        if (tries > 0) throw error
        if (holder === undefined) this.#runnerNetwork = undefined
        else this.#namespaces.discard(holder)
        holder = undefined
      }
    }
  }

  /** Once for this worker; a failure is forgotten, so that the next container tries again. */
  #openNetwork(): Promise<RunnerNetwork> {
    const { engine, settings, runnerNetwork, egress, exclusively, logger } = this.#options
    const make = () => createRunnerNetwork({ docker: engine.docker, stack: settings.stack, ...egress, logger })
    if (this.#runnerNetwork) return this.#runnerNetwork
    const opening = (runnerNetwork ? Promise.resolve(runnerNetwork) : exclusively(make)).catch((error: unknown) => {
      this.#runnerNetwork = undefined
      throw statusOf(error) === 404 && /no such image/i.test(messageOf(error)) ? imageMissing(egress.image) : error
    })
    this.#runnerNetwork = opening
    opening.then(
      ({ network }) => this.#namespaces.maintain(network),
      // Told to whoever waits for it.
      () => undefined,
    )
    return opening
  }

  /** Makes network and runnerNetwork out ahead of the first container, which then is as quick as the others. */
  async prepareNetwork(): Promise<void> {
    await this.requireImage()
    await this.#openNetwork()
  }

  #startFailure(error: unknown): unknown {
    const message = messageOf(error)
    if (/network .*not found/i.test(message)) this.#runnerNetwork = undefined
    if (!isMissingProgram(message)) return error
    return new SwitchyardError('runner_image_invalid', `${this.#options.settings.image} cannot be run: ${message}`, {
      cause: error,
    })
  }

  /**
   * Looks after the network namespaces that are kept ready: makes those that are missing, once there was a first container here,
   * and removes those of workers that are no more.
   */
  async maintainNamespaces(): Promise<void> {
    const runnerNetwork = await this.#runnerNetwork?.catch(() => undefined)
    await this.#namespaces.maintain(runnerNetwork?.network)
  }

  /** @throws SwitchyardError `container_gone`, `docker_unavailable` */
  async state(id: string): Promise<ContainerState> {
    const { State } = await call('looking at the container', () => this.#docker.getContainer(id).inspect()).catch(gone)
    return {
      status: STATUS[State.Status] ?? 'ended',
      exitCode: State.ExitCode,
      outOfMemory: State.OOMKilled,
    }
  }

  /**
   * All that a container has printed and, with `follow`, will print until it ends or the signal fires.
   *
   * @throws SwitchyardError `container_gone`, `docker_unavailable` where the engine went away meanwhile
   */
  output(id: string, options: LogOptions): AsyncGenerator<OutputLine> {
    return readLog(this.#docker, id, options)
  }

  /** Freezes it. One that is frozen or has ended stays so. */
  async pause(id: string): Promise<void> {
    await this.#tell('freezing the container', () => this.#docker.getContainer(id).pause())
  }

  /** Thaws it. One that runs or has ended stays so. */
  async unpause(id: string): Promise<void> {
    await this.#tell('thawing the container', () => this.#docker.getContainer(id).unpause())
  }

  /** Ends it within about 3 seconds, with all that its tools have started. One that is gone or has ended is fine. */
  async stop(id: string): Promise<void> {
    // A frozen process takes no signal but the last one.
    await this.unpause(id)
    await this.#tell('stopping the container', () => this.#docker.getContainer(id).stop({ t: STOP_S }))
  }

  /** Takes away namespaces, network and runnerNetwork out that were made here, but what a worker or a container that is left needs. */
  async close(): Promise<void> {
    const { engine, settings, runnerNetwork, exclusively, workerId, liveWorkers } = this.#options
    if (!this.#runnerNetwork) return
    await this.#namespaces.close()
    if (runnerNetwork) return
    await exclusively(async () => {
      const others = [...(await liveWorkers())].filter((id) => id !== workerId)
      if (others.length > 0 || (await this.find()).length > 0) return
      await removeRunnerNetwork(engine.docker, settings.stack)
    })
  }

  async remove(id: string): Promise<void> {
    await this.#tell('removing the container', () => this.#docker.getContainer(id).remove({ force: true, v: true }))
    const holder = this.#leased.get(id)
    if (holder === undefined) return
    this.#leased.delete(id)
    this.#namespaces.release(holder)
  }

  /** A call for a state that the container may be in already: 304, 404 and 409 say that it is, or that there is none. */
  async #tell(what: string, make: () => Promise<unknown>): Promise<void> {
    try {
      await call(what, make)
    } catch (error) {
      const status = statusOf(error)
      if (status === 304 || status === 404 || status === 409) return
      // "is not paused" is a 500 in older engines.
      if (status === 500 && /is (not paused|already paused|not running)/i.test(messageOf(error))) return
      throw fromEngine(error, what)
    }
  }
}

const imageMissing = (image: string): SwitchyardError =>
  new SwitchyardError('runner_image_missing', `the Docker engine has no image ${image}`)
