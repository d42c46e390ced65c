// Runs the containers of tasks: creates, finds, follows, pauses, stops and removes them.

import { SwitchyardError } from '@switchyard/contracts'
import type Docker from 'dockerode'
import type { Logger } from 'pino'
import { type LogOptions, readLog, rethrowAsGone } from './container-log.ts'
import type { OutputLine } from './container-output.ts'
import { call, createContainer, type Engine, fromEngine, messageOf, statusOf } from './engine.ts'
import { nameOf, PROMPT, STACK, TASK } from './labels.ts'
import { joinedHolder, joinHolder, NetworkNamespaces } from './network-namespaces.ts'
import { createRunnerNetwork, type RunnerNetworkOptions, removeRunnerNetwork } from './runner-network.ts'
import { createBody, type RunnerNetwork, type RunnerSettings, type Turn } from './task-container.ts'

/** How long a container may take to exit after SIGTERM before the engine kills it, seconds. */
const STOP_S = 3

export type RunnerOptions = {
  readonly engine: Engine
  readonly settings: RunnerSettings
  /** An existing network and proxy. By default the runner creates its own before the first container. */
  readonly runnerNetwork?: RunnerNetwork
  readonly egress: Pick<RunnerNetworkOptions, 'image' | 'allow' | 'deny'>
  /** Runs `work` while no other worker of this engine runs its own: two at once would create two networks of one name. */
  readonly exclusively: <T>(work: () => Promise<T>) => Promise<T>
  readonly workerId: string
  /** Returns the ids of the live workers, with or without this one. They share the network. */
  readonly liveWorkers: () => Promise<ReadonlySet<string>>
  /** How many network namespaces to keep: as many as containers may start at once. */
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
  /** Meaningful once the container has ended. */
  readonly exitCode: number
  readonly outOfMemory: boolean
}

const STATUS: Readonly<Record<string, RunnerContainer['status']>> = {
  created: 'created',
  running: 'running',
  restarting: 'running',
  paused: 'paused',
}

/** Returns whether the engine does not know this container. It also answers 404 when a network does not exist. */
const isUnknownContainer = (error: unknown, id: string): boolean =>
  messageOf(error).includes(`No such container: ${id}`)

const isLostNamespace = (error: unknown): boolean =>
  /cannot join network of a non running container|No such container/i.test(messageOf(error))

const isMissingProgram = (message: string): boolean =>
  /executable file not found|no such file or directory|exec format error|permission denied/i.test(message)

const isMissingImage = (error: unknown): boolean => /no such image/i.test(messageOf(error))

export class Runner {
  readonly #options: RunnerOptions
  readonly #namespaces: NetworkNamespaces
  #runnerNetwork: Promise<RunnerNetwork> | undefined
  /** The holder of each container's leased namespace, by the container's id. */
  readonly #leased = new Map<string, string>()

  constructor(options: RunnerOptions) {
    this.#options = options
    const { engine, settings, workerId: owner, namespaces: count, liveWorkers: liveOwners, logger } = options
    this.#namespaces = new NetworkNamespaces({ docker: engine.docker, settings, owner, count, liveOwners, logger })
  }

  get #docker(): Docker {
    return this.#options.engine.docker
  }

  /** Returns false when the engine's socket does not exist. */
  isAvailable(): boolean {
    return this.#options.engine.isAvailable()
  }

  /** Returns the engine's version. @throws SwitchyardError `docker_unavailable` */
  async version(): Promise<string> {
    return (await call('read the version of the Docker engine', () => this.#docker.version())).Version
  }

  /** Checks that the engine has the image. @throws SwitchyardError `runner_image_missing`, `docker_unavailable` */
  async requireImage(): Promise<void> {
    const { image } = this.#options.settings
    await call('inspect the image', () => this.#docker.getImage(image).inspect()).catch((error: unknown) => {
      if (statusOf(error) === 404) throw imageMissing(image)
      throw error
    })
  }

  /** Returns the containers of one task, oldest first; without an id, of all tasks of this installation. */
  async find(taskId?: string): Promise<readonly RunnerContainer[]> {
    const label = [`${STACK}=${this.#options.settings.stack}`, taskId === undefined ? TASK : `${TASK}=${taskId}`]
    const found = await call('list containers', () => this.#docker.listContainers({ all: true, filters: { label } }))
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
   * Starts the container of a turn, and creates it unless it exists.
   *
   * @param createdId - the id that `create` returned, if it was called
   * @returns the container's id
   * @throws SwitchyardError `runner_image_missing`, `runner_image_invalid`, `docker_unavailable`, `disk_full`, `forbidden`,
   *   `container_failed`
   */
  async start(turn: Turn, createdId?: string): Promise<string> {
    const id = createdId ?? (await this.create(turn))
    try {
      await call('start the container', () => this.#docker.getContainer(id).start())
      return id
    } catch (error) {
      // 304: it is running already.
      if (statusOf(error) === 304) return id
      if (createdId !== undefined && statusOf(error) === 404 && isUnknownContainer(error, id))
        return await this.start(turn)
      const holder = this.#leased.get(id)
      if (holder === undefined || !isLostNamespace(error)) throw this.#startFailure(error)
      this.#namespaces.discard(holder)
      await this.remove(id)
      return await this.start(turn)
    }
  }

  /**
   * Creates the container of a turn without starting it, while its directory is still being prepared. `turn.root` must
   * exist.
   *
   * @returns the container's id
   * @throws SwitchyardError as `start`
   */
  async create(turn: Turn): Promise<string> {
    return await this.#namespaces.lease((holder) => this.#create(turn, holder))
  }

  async #create(turn: Turn, leased: string | undefined): Promise<string> {
    const { settings } = this.#options
    let holder = leased
    const name = nameOf(settings.stack, turn.taskId, turn.promptId)
    for (let retries = 0; ; retries += 1) {
      const runnerNetwork = await this.#openNetwork()
      const network = holder === undefined ? runnerNetwork.network : joinHolder(holder)
      try {
        const body = createBody(settings, turn, { ...runnerNetwork, network })
        const id = await call('create the container', () => createContainer(this.#docker, name, body))
        if (holder !== undefined) this.#leased.set(id, holder)
        return id
      } catch (error) {
        if (statusOf(error) === 409) {
          // This worker or an earlier owner created the container of this prompt already.
          const found = await call('inspect the container', () => this.#docker.getContainer(name).inspect())
          if (holder !== undefined && joinedHolder(found.HostConfig.NetworkMode) !== holder)
            this.#namespaces.release(holder)
          return found.Id
        }
        if (statusOf(error) !== 404) throw error
        if (isMissingImage(error)) throw imageMissing(settings.image)
        // The network or the holder was removed in the meantime.
        if (retries > 0) throw error
        if (holder === undefined) this.#runnerNetwork = undefined
        else this.#namespaces.discard(holder)
        holder = undefined
      }
    }
  }

  /** Creates the network once for this worker. The next container retries after a failure. */
  #openNetwork(): Promise<RunnerNetwork> {
    const { engine, settings, runnerNetwork, egress, exclusively, logger } = this.#options
    const create = () => createRunnerNetwork({ docker: engine.docker, stack: settings.stack, ...egress, logger })
    if (this.#runnerNetwork) return this.#runnerNetwork
    const opening = (runnerNetwork ? Promise.resolve(runnerNetwork) : exclusively(create)).catch((error: unknown) => {
      this.#runnerNetwork = undefined
      throw statusOf(error) === 404 && isMissingImage(error) ? imageMissing(egress.image) : error
    })
    this.#runnerNetwork = opening
    opening.then(
      ({ network }) => this.#namespaces.maintain(network),
      // The caller gets the error.
      () => undefined,
    )
    return opening
  }

  /** Creates the network ahead of the first container, so that it starts as fast as the others. */
  async prepareNetwork(): Promise<void> {
    await this.requireImage()
    await this.#openNetwork()
  }

  #startFailure(error: unknown): unknown {
    const message = messageOf(error)
    if (/network .*not found/i.test(message)) this.#runnerNetwork = undefined
    if (!isMissingProgram(message)) return error
    return new SwitchyardError(
      'runner_image_invalid',
      `the image ${this.#options.settings.image} cannot run a task: ${message}`,
      { cause: error },
    )
  }

  /**
   * Creates missing network namespaces, once this worker has started a container, and removes those of workers that are
   * no longer live.
   */
  async maintainNamespaces(): Promise<void> {
    const runnerNetwork = await this.#runnerNetwork?.catch(() => undefined)
    await this.#namespaces.maintain(runnerNetwork?.network)
  }

  /** @throws SwitchyardError `container_gone`, `docker_unavailable` */
  async state(id: string): Promise<ContainerState> {
    const { State } = await call('inspect the container', () => this.#docker.getContainer(id).inspect()).catch(
      rethrowAsGone,
    )
    return {
      status: STATUS[State.Status] ?? 'ended',
      exitCode: State.ExitCode,
      outOfMemory: State.OOMKilled,
    }
  }

  /**
   * Yields everything that the container has printed and, with `follow`, will print until it ends or the signal fires.
   *
   * @throws SwitchyardError `container_gone`, or `docker_unavailable` when the connection to the engine is lost
   */
  output(id: string, options: LogOptions): AsyncGenerator<OutputLine> {
    return readLog(this.#docker, id, options)
  }

  /** Pauses a container, unless it is paused or has ended. */
  async pause(id: string): Promise<void> {
    await this.#ensure('pause the container', () => this.#docker.getContainer(id).pause())
  }

  /** Unpauses a container, unless it is running or has ended. */
  async unpause(id: string): Promise<void> {
    await this.#ensure('unpause the container', () => this.#docker.getContainer(id).unpause())
  }

  /** Stops a container and all its processes within about 3 seconds, unless it has ended or does not exist. */
  async stop(id: string): Promise<void> {
    // A paused process receives no signal but SIGKILL.
    await this.unpause(id)
    await this.#ensure('stop the container', () => this.#docker.getContainer(id).stop({ t: STOP_S }))
  }

  /** Removes unused namespaces, and the network that this runner created unless another worker or a container uses it. */
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

  /** Kills and removes a container, if it exists, and releases its namespace. */
  async remove(id: string): Promise<void> {
    await this.#ensure('remove the container', () => this.#docker.getContainer(id).remove({ force: true, v: true }))
    const holder = this.#leased.get(id)
    if (holder === undefined) return
    this.#leased.delete(id)
    this.#namespaces.release(holder)
  }

  /** Makes a call that changes the container's state. 304, 404 and 409 mean that it has that state or does not exist. */
  async #ensure(what: string, make: () => Promise<unknown>): Promise<void> {
    try {
      await call(what, make)
    } catch (error) {
      const status = statusOf(error)
      if (status === 304 || status === 404 || status === 409) return
      // Older engines answer "is not paused" with 500.
      if (status === 500 && /is (not paused|already paused|not running)/i.test(messageOf(error))) return
      throw fromEngine(error, what)
    }
  }
}

const imageMissing = (image: string): SwitchyardError =>
  new SwitchyardError('runner_image_missing', `the Docker engine has no image ${image}`)
