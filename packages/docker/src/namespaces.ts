// Network namespaces made ahead of the tasks. The engine needs longer to make one than for all else at a container's start, so
// a worker keeps a few: each is held by a small container without keys or mounts, and a task's container joins one in which
// no other is. When that container has gone nothing of it is left there, and the next one may join.

import { randomBytes } from 'node:crypto'
import type Docker from 'dockerode'
import type { Logger } from 'pino'
import type { RunnerSettings } from './container-spec.ts'
import { call, createContainer, statusOf } from './engine.ts'
import { hardenedHostConfig } from './hardened-host-config.ts'
import { NAMESPACE, NOT_OF_COMPOSE, STACK, TASK } from './labels.ts'

const MEBIBYTE = 1_048_576
/** The time for which it holds one; it has to be ended before. */
const FOR_EVER_S = '2147483647'
const JOINS = 'container:'

/** Name of the container that holds a namespace. */
export const HOLDER_NAME = /^switchyard-[0-9a-f]{12}-net-[0-9a-f]{16}$/

/** The network mode of a container that joins the namespace of another. */
export const joinHolder = (holderId: string): string => `${JOINS}${holderId}`

/** @returns the id of the container whose namespace is joined; undefined for any other network mode. */
export const joinedHolder = (networkMode: string | undefined): string | undefined =>
  networkMode?.startsWith(JOINS) ? networkMode.slice(JOINS.length) : undefined

/** The ids of the containers whose namespace one of these is in, running or not. */
export const joinedHolders = (
  containers: readonly { readonly HostConfig: { readonly NetworkMode?: string } }[],
): ReadonlySet<string> => new Set(containers.flatMap(({ HostConfig }) => joinedHolder(HostConfig.NetworkMode) ?? []))

/** The body of `POST /containers/create`. The filter in front of the socket admits nothing wider than this. */
export const createHolderBody = (
  settings: Pick<RunnerSettings, 'stack' | 'image' | 'user'>,
  owner: string,
  network: string,
): Docker.ContainerCreateOptions => ({
  Image: settings.image,
  User: settings.user,
  WorkingDir: '/',
  Entrypoint: ['sleep', FOR_EVER_S],
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

export type NamespacesOptions = {
  readonly docker: Docker
  readonly settings: Pick<RunnerSettings, 'stack' | 'image' | 'user'>
  /** The worker's id, by which others know whether the namespaces are still of use. */
  readonly owner: string
  /** How many are kept. */
  readonly count: number
  /** The workers on this engine, the caller or not. */
  readonly liveOwners: () => Promise<ReadonlySet<string>>
  readonly logger: Logger
}

/** `free`: nobody is in it. `lent`: to a container that is being made, of which the engine may not know yet. `used`: it was made. */
type OwnNamespace = { readonly state: 'free' | 'reserved' | 'used' }

type Holder = { readonly id: string; readonly owner: string; readonly isRunning: boolean }

export class Namespaces {
  readonly #options: NamespacesOptions
  /** Our own, by the id of the container that holds each. A change makes a new object, so that `tend` sees what changed meanwhile. */
  readonly #own = new Map<string, OwnNamespace>()
  #maintaining: Promise<void> = Promise.resolve()
  #isClosed = false

  constructor(options: NamespacesOptions) {
    this.#options = options
  }

  /**
   * Makes a container that joins a namespace in which nobody is.
   *
   * @param make - gets the id of its holder; undefined where none is free, and the engine makes one with the container.
   */
  async lease<T>(make: (holderId: string | undefined) => Promise<T>): Promise<T> {
    const id = [...this.#own].find(([, { state }]) => state === 'free')?.[0]
    if (id === undefined) return await make(undefined)
    this.#own.set(id, { state: 'reserved' })
    try {
      return await make(id)
    } finally {
      if (this.#own.get(id)?.state === 'reserved') this.#own.set(id, { state: 'used' })
    }
  }

  /** The container that was in it has been removed. */
  release(id: string): void {
    if (this.#own.has(id)) this.#own.set(id, { state: 'free' })
  }

  /** It cannot be joined any more: an engine that was restarted has ended its holder. */
  discard(id: string): void {
    this.#own.delete(id)
  }

  /**
   * Makes as many as are to be kept, finds those that were left without a word and those that have gone, and removes those of
   * workers that are no more. What fails is logged and tried again the next time.
   *
   * @param network - where new ones are made; undefined: none are.
   */
  maintain(network: string | undefined): Promise<void> {
    this.#maintaining = this.#maintaining
      .then(() => this.#maintain(network))
      .catch((error: unknown) =>
        this.#options.logger.debug({ err: error }, 'the network namespaces were not looked after'),
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
      const isWanted = each.owner === owner ? this.#own.has(each.id) : live.has(each.owner)
      if (!isWanted && !inUse.has(each.id)) await this.#remove(each.id)
    }
    if (network === undefined) return
    while (this.#own.size < count && !this.#isClosed) this.#own.set(await this.#make(network), { state: 'free' })
  }

  async #list(label: string): Promise<readonly Docker.ContainerInfo[]> {
    const { docker, settings } = this.#options
    return await call('looking for network namespaces', () =>
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

  /** Ids of holders whose namespace a task's container is in, running or not. */
  async #inUse(): Promise<ReadonlySet<string>> {
    return joinedHolders(await this.#list(TASK))
  }

  async #make(network: string): Promise<string> {
    const { docker, settings, owner } = this.#options
    const name = `switchyard-${settings.stack}-net-${randomBytes(8).toString('hex')}`
    const body = createHolderBody(settings, owner, network)
    const id = await call('making a network namespace', () => createContainer(docker, name, body))
    try {
      await call('starting a network namespace', () => docker.getContainer(id).start())
    } catch (error) {
      await this.#remove(id)
      throw error
    }
    return id
  }

  async #remove(id: string): Promise<void> {
    const container = this.#options.docker.getContainer(id)
    await call('removing a network namespace', () => container.remove({ force: true, v: true })).catch(
      (error: unknown) => {
        if (statusOf(error) !== 404 && statusOf(error) !== 409) throw error
      },
    )
  }

  /** Removes those in which nobody is; the others go when a worker looks after them that is there then. */
  async close(): Promise<void> {
    this.#isClosed = true
    await this.#maintaining
    if (this.#own.size === 0) return
    const inUse = await this.#inUse()
    for (const id of this.#own.keys()) if (!inUse.has(id)) await this.#remove(id)
  }
}
