// Network namespaces created ahead of the tasks. Creating one is the slowest part of a container's start, so a worker keeps
// a few: a small container without keys or mounts holds each one open, and a task's container joins one that no other
// container uses. After that container is removed, nothing of it remains in the namespace, and the next one can join.

import { randomBytes } from 'node:crypto'
import type Docker from 'dockerode'
import type { Logger } from 'pino'
import { call, createContainer, statusOf } from './engine.ts'
import { hardenedHostConfig } from './hardened-host-config.ts'
import { NAMESPACE, NOT_OF_COMPOSE, STACK, TASK } from './labels.ts'
import type { RunnerSettings } from './task-container.ts'

const MEBIBYTE = 1_048_576
/** The longest time that `sleep` accepts, seconds: a holder runs until it is removed. */
const UNLIMITED_S = '2147483647'
const JOIN_PREFIX = 'container:'

/** The name of a holder: a container that holds a namespace open. */
export const HOLDER_NAME = /^switchyard-[0-9a-f]{12}-net-[0-9a-f]{16}$/

/** Returns the network mode of a container that joins the holder's namespace. */
export const joinHolder = (holderId: string): string => `${JOIN_PREFIX}${holderId}`

/** Returns the id of the container whose namespace is joined, or undefined for any other network mode. */
export const joinedHolder = (networkMode: string | undefined): string | undefined =>
  networkMode?.startsWith(JOIN_PREFIX) ? networkMode.slice(JOIN_PREFIX.length) : undefined

/** Returns the ids of the containers whose namespaces these containers joined, running or not. */
export const joinedHolders = (
  containers: readonly { readonly HostConfig: { readonly NetworkMode?: string } }[],
): ReadonlySet<string> => new Set(containers.flatMap(({ HostConfig }) => joinedHolder(HostConfig.NetworkMode) ?? []))

/** Returns the body of `POST /containers/create`. The filter in front of the socket accepts nothing wider than this. */
export const createHolderBody = (
  settings: Pick<RunnerSettings, 'stack' | 'image' | 'user'>,
  owner: string,
  network: string,
): Docker.ContainerCreateOptions => ({
  Image: settings.image,
  User: settings.user,
  WorkingDir: '/',
  Entrypoint: ['sleep', UNLIMITED_S],
  Cmd: [],
  Env: [],
  Labels: { [STACK]: settings.stack, [NAMESPACE]: owner, ...NOT_OF_COMPOSE },
  OpenStdin: false,
  Tty: false,
  Healthcheck: { Test: ['NONE'] },
  HostConfig: hardenedHostConfig(
    { cpus: 0.1, memoryBytes: 32 * MEBIBYTE, pids: 8 },
    { network, mounts: [], log: { 'max-size': '1m', 'max-file': '1' }, tmpBytes: MEBIBYTE },
  ),
})

export type NetworkNamespacesOptions = {
  readonly docker: Docker
  readonly settings: Pick<RunnerSettings, 'stack' | 'image' | 'user'>
  /** The id of this worker. Other workers remove the namespaces of owners that are no longer live. */
  readonly owner: string
  /** How many namespaces this worker keeps. */
  readonly count: number
  /** Returns the ids of the live workers on this engine, with or without this one. */
  readonly liveOwners: () => Promise<ReadonlySet<string>>
  readonly logger: Logger
}

/** `reserved`: its container is being created and may be unknown to the engine. `used`: its container was created. */
type OwnNamespace = { readonly state: 'free' | 'reserved' | 'used' }

type Holder = { readonly id: string; readonly owner: string; readonly isRunning: boolean }

export class NetworkNamespaces {
  readonly #options: NetworkNamespacesOptions
  /** This worker's namespaces by holder id. Each change stores a new object, so that `maintain` detects concurrent changes. */
  readonly #own = new Map<string, OwnNamespace>()
  #maintaining: Promise<void> = Promise.resolve()
  #isClosed = false

  constructor(options: NetworkNamespacesOptions) {
    this.#options = options
  }

  /**
   * Creates a container in a free namespace, and leases the namespace to it until `release`.
   *
   * @param create - gets the holder's id, or undefined when no namespace is free and the container needs its own
   */
  async lease<T>(create: (holderId: string | undefined) => Promise<T>): Promise<T> {
    const id = [...this.#own].find(([, { state }]) => state === 'free')?.[0]
    if (id === undefined) return await create(undefined)
    this.#own.set(id, { state: 'reserved' })
    try {
      return await create(id)
    } finally {
      if (this.#own.get(id)?.state === 'reserved') this.#own.set(id, { state: 'used' })
    }
  }

  /** Frees a namespace after its container was removed. */
  release(id: string): void {
    if (this.#own.has(id)) this.#own.set(id, { state: 'free' })
  }

  /** Drops a namespace that can no longer be joined: a restart of the engine stops its holder. */
  discard(id: string): void {
    this.#own.delete(id)
  }

  /**
   * Creates missing namespaces, frees those whose container disappeared, and removes those of workers that are no longer
   * live. A failure is logged and retried on the next call.
   *
   * @param network - where namespaces are created; undefined creates none
   */
  maintain(network: string | undefined): Promise<void> {
    this.#maintaining = this.#maintaining
      .then(() => this.#maintain(network))
      .catch((error: unknown) =>
        this.#options.logger.debug({ err: error }, 'failed to maintain network namespaces; will retry'),
      )
    return this.#maintaining
  }

  async #maintain(network: string | undefined): Promise<void> {
    if (this.#isClosed) return
    const { owner, count, liveOwners } = this.#options
    const before = new Map(this.#own)
    const [holders, inUse, live] = await Promise.all([this.#holders(), this.#inUse(), liveOwners()])
    const running = new Set(holders.filter((each) => each.owner === owner && each.isRunning).map(({ id }) => id))
    for (const id of before.keys()) if (!running.has(id)) this.#own.delete(id)
    for (const [id, namespace] of before)
      if (namespace.state === 'used' && this.#own.get(id) === namespace && !inUse.has(id)) this.release(id)
    for (const each of holders) {
      const isNeeded = each.owner === owner ? this.#own.has(each.id) : live.has(each.owner)
      if (!isNeeded && !inUse.has(each.id)) await this.#remove(each.id)
    }
    if (network === undefined) return
    while (this.#own.size < count && !this.#isClosed) this.#own.set(await this.#create(network), { state: 'free' })
  }

  async #list(label: string): Promise<readonly Docker.ContainerInfo[]> {
    const { docker, settings } = this.#options
    return await call('list network namespaces', () =>
      docker.listContainers({ all: true, filters: { label: [`${STACK}=${settings.stack}`, label] } }),
    )
  }

  async #holders(): Promise<readonly Holder[]> {
    const found = await this.#list(NAMESPACE)
    return found.map(({ Id, Labels, State }) => ({
      id: Id,
      owner: Labels[NAMESPACE] ?? '',
      isRunning: State === 'running',
    }))
  }

  /** Returns the ids of holders whose namespace a task's container joined, running or not. */
  async #inUse(): Promise<ReadonlySet<string>> {
    return joinedHolders(await this.#list(TASK))
  }

  async #create(network: string): Promise<string> {
    const { docker, settings, owner } = this.#options
    const name = `switchyard-${settings.stack}-net-${randomBytes(8).toString('hex')}`
    const body = createHolderBody(settings, owner, network)
    const id = await call('create a network namespace', () => createContainer(docker, name, body))
    try {
      await call('start a network namespace', () => docker.getContainer(id).start())
    } catch (error) {
      await this.#remove(id)
      throw error
    }
    return id
  }

  async #remove(id: string): Promise<void> {
    const container = this.#options.docker.getContainer(id)
    await call('remove a network namespace', () => container.remove({ force: true, v: true })).catch(
      (error: unknown) => {
        if (statusOf(error) !== 404 && statusOf(error) !== 409) throw error
      },
    )
  }

  /** Removes the unused namespaces. A live worker removes the others once their containers are removed. */
  async close(): Promise<void> {
    this.#isClosed = true
    await this.#maintaining
    if (this.#own.size === 0) return
    const inUse = await this.#inUse()
    for (const id of this.#own.keys()) if (!inUse.has(id)) await this.#remove(id)
  }
}
