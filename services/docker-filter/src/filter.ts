// An HTTP server between the workers and the Docker engine. It forwards the calls that a worker makes,
// for containers of this installation, and refuses all others: a compromised worker gets no more of the
// engine than that.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { rootIdVariable } from '@switchyard/docker'
import { containerDirectories } from '@switchyard/workspace/layout'
import type { Logger } from 'pino'
import { type AllowedCall, checkCall, parseJson } from './allowed-calls.ts'
import { type AllowedCreate, checkCreate, type Policy } from './create-check.ts'
import { type Answer, callJson, type EngineAddress, openCall } from './engine-calls.ts'
import { removeIdleNamespaces } from './idle-namespaces.ts'
import { directoryId, hostPath, openDirectory } from './mounted-directory.ts'
import { NotAllowed } from './not-allowed.ts'
import { factsOf, type InspectedContainer, type ListedContainer, Ownership } from './ownership.ts'

export type FilterOptions = {
  readonly engine: EngineAddress
  readonly policy: Policy
  /** Where the host has the working directories: a path, or the name of a volume. */
  readonly source: { readonly path: string } | { readonly volume: string }
  readonly logger: Logger
}

const MAX_BODY_BYTES = 1_048_576
const TASK_LABEL = 'switchyard.task'
/** One measurement; without these the engine would stream them forever. */
const ONE_MEASUREMENT = new URLSearchParams({ stream: 'false', 'one-shot': 'true' })

type Body = AllowedCreate['body']
type Mount = NonNullable<NonNullable<Body['HostConfig']>['Mounts']>[number]

const readBody = async (incoming: IncomingMessage): Promise<unknown> => {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of incoming) {
    size += chunk.length
    if (size > MAX_BODY_BYTES) throw new NotAllowed(`the body exceeds ${MAX_BODY_BYTES} bytes`)
    chunks.push(chunk)
  }
  return parseJson(Buffer.concat(chunks).toString('utf8'), 'body')
}

const reply = (outgoing: ServerResponse, { status, json }: Answer): void => {
  outgoing.writeHead(status, { 'content-type': 'application/json' })
  outgoing.end(json === undefined ? undefined : JSON.stringify(json))
}

export class Filter {
  readonly #options: FilterOptions
  readonly server: Server
  /** Create calls in progress. */
  readonly #creating = new Set<Promise<Answer>>()
  readonly #ownership: Ownership
  #isClosed = false

  constructor(options: FilterOptions) {
    this.#options = options
    const { taskNetwork, server } = options.policy
    const networks: [string, ...string[]] = [taskNetwork.network, ...(server ? [server.network] : [])]
    this.#ownership = new Ownership(options.engine, networks)
    this.server = createServer((incoming, outgoing) => void this.#serve(incoming, outgoing))
    // The engine upgrades the connection for attach and exec, which a worker does not use.
    this.server.on('upgrade', (_incoming, socket) => {
      // Node no longer handles the errors of an upgraded socket.
      socket.on('error', () => socket.destroy())
      socket.end('HTTP/1.1 403 Forbidden\r\nconnection: close\r\n\r\n')
    })
  }

  /**
   * Creates no more containers, closes every connection, and removes the network namespaces that no
   * task uses: workers can no longer do that, and the network could not be removed. A worker that is
   * still running creates new namespaces through the next filter.
   */
  async close(): Promise<void> {
    const { engine, policy, logger } = this.#options
    this.#isClosed = true
    this.server.close()
    await Promise.allSettled(this.#creating)
    this.server.closeAllConnections()
    await removeIdleNamespaces(engine, policy.taskNetwork.network).catch((error: unknown) =>
      logger.warn({ err: error instanceof Error ? error.message : error }, 'failed to remove idle network namespaces'),
    )
  }

  async #serve(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const { logger, policy } = this.#options
    const { method = '', url = '' } = incoming
    try {
      await this.#handle(checkCall(method, url, policy.settings.image), incoming, outgoing)
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      if (outgoing.headersSent) return void outgoing.destroy()
      if (!(error instanceof NotAllowed)) {
        logger.warn({ method, url, err: message }, 'call to the Docker engine failed')
        return reply(outgoing, { status: 503, json: { message } })
      }
      logger.warn({ method, url, reason: message }, 'call not allowed')
      reply(outgoing, { status: 403, json: { message: `not allowed: ${message}` } })
    }
  }

  async #handle(call: AllowedCall, incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const { engine } = this.#options
    const method = incoming.method ?? ''
    switch (call.kind) {
      case 'forward':
        return reply(outgoing, await callJson(engine, { method, path: call.path }))
      case 'list':
        return reply(outgoing, await this.#list(call.labels))
      case 'create':
        return reply(outgoing, await this.#create(call.name, incoming))
      case 'remove-volume':
        await this.#requireVolume(call.name)
        return reply(outgoing, await callJson(engine, { method, path: `/volumes/${call.name}` }))
      case 'container':
        return await this.#callContainer(call, method, outgoing)
    }
  }

  /** Lists only the containers of this installation. */
  async #list(labels: readonly unknown[]): Promise<Answer> {
    const path = `/containers/json?all=1&filters=${encodeURIComponent(JSON.stringify({ label: labels }))}`
    const { status, json } = await callJson(this.#options.engine, { method: 'GET', path })
    if (status !== 200) return { status, json }
    return { status, json: await this.#ownership.filterOwned(json as readonly ListedContainer[]) }
  }

  async #create(name: string | null, incoming: IncomingMessage): Promise<Answer> {
    const { policy, logger } = this.#options
    const allowed = checkCreate(policy, name, await readBody(incoming))
    if (allowed.joins !== undefined) await this.#requireNamespace(allowed.joins)
    const body = await this.#completeBody(allowed)
    const send = () => this.#sendCreate(name ?? '', body)
    const first = await send()
    const isRemoved = first.status === 409 && (await this.#removeOutdated(name ?? '', body))
    const answer = isRemoved ? await send() : first
    logger.info({ name, status: answer.status }, 'container created')
    return answer
  }

  async #sendCreate(name: string, body: Body): Promise<Answer> {
    if (this.#isClosed) return { status: 503, json: { message: 'the filter is stopping' } }
    const path = `/containers/create?name=${encodeURIComponent(name)}`
    const creating = callJson(this.#options.engine, { method: 'POST', path, body })
    this.#creating.add(creating)
    return await creating.finally(() => this.#creating.delete(creating))
  }

  /** Adds what only the filter knows: the directory's path on the host, its id, and the installation's label. */
  async #completeBody({ body, root, taskId }: AllowedCreate): Promise<Body> {
    const Labels = { ...body.Labels, ...this.#ownership.label }
    if (root === null) return { ...body, Labels }
    const { workspacesDir } = this.#options.policy
    await using directory = await openDirectory(workspacesDir, root)
    const Env = taskId === undefined ? body.Env : [...(body.Env ?? []), rootIdVariable(await directoryId(directory))]
    const Source = hostPath(workspacesDir, await this.#source(), root)
    const [, ...volumes] = body.HostConfig?.Mounts ?? []
    const Mounts: Mount[] = [{ Type: 'bind', Source, Target: root, ReadOnly: false }]
    for (const volume of volumes) Mounts.push(await this.#labelVolume(volume))
    return { ...body, Labels, Env, HostConfig: { ...body.HostConfig, Mounts } }
  }

  async #labelVolume(volume: Mount): Promise<Mount> {
    await this.#requireVolume(volume.Source)
    return {
      ...volume,
      VolumeOptions: {
        NoCopy: false,
        Labels: { ...this.#ownership.label },
        DriverConfig: { Name: 'local', Options: {} },
      },
    }
  }

  async #requireVolume(name: string): Promise<void> {
    if (await this.#ownership.mayUseVolume(name)) return
    throw new NotAllowed(`volume ${name} belongs to another installation`)
  }

  /**
   * Removes a container of the same name that was created for a directory that no longer exists, or
   * without a directory id: it has never run, and could never be started.
   *
   * @returns whether it was removed.
   */
  async #removeOutdated(name: string, { Env }: Body): Promise<boolean> {
    const { engine } = this.#options
    const { json } = await callJson(engine, { method: 'GET', path: `/containers/${name}/json` })
    const found = json as InspectedContainer
    const mark = Env?.find((entry) => entry.startsWith(rootIdVariable('')))
    if (found.State?.Status !== 'created' || mark === undefined || found.Config?.Env?.includes(mark)) return false
    if (!(await this.#ownership.owns(factsOf(found)))) return false
    await callJson(engine, { method: 'DELETE', path: `/containers/${name}?v=1` })
    return true
  }

  /**
   * Refuses to join any container but one that keeps a namespace of this installation open: any other
   * would give access to its network. For a container that no longer exists the engine returns the error.
   */
  async #requireNamespace(id: string): Promise<void> {
    const found = await callJson(this.#options.engine, { method: 'GET', path: `/containers/${id}/json` })
    if (found.status === 404) return
    const facts = factsOf(found.json as InspectedContainer)
    if (facts.labels['switchyard.namespace'] === undefined || !(await this.#ownership.owns(facts)))
      throw new NotAllowed('HostConfig.NetworkMode: the container does not provide a network namespace for tasks')
  }

  /** Returns the path of the working directories on the host. */
  async #source(): Promise<string> {
    const { engine, source } = this.#options
    if ('path' in source) return source.path
    const { json } = await callJson(engine, { method: 'GET', path: `/volumes/${encodeURIComponent(source.volume)}` })
    const mountpoint = (json as { Mountpoint?: unknown } | undefined)?.Mountpoint
    if (typeof mountpoint !== 'string') throw new Error(`volume ${source.volume} does not exist`)
    return mountpoint
  }

  async #callContainer(
    { action, id, query }: Extract<AllowedCall, { kind: 'container' }>,
    method: string,
    outgoing: ServerResponse,
  ): Promise<void> {
    const { engine } = this.#options
    const found = await callJson(engine, { method: 'GET', path: `/containers/${id}/json` })
    if (found.status !== 200) return reply(outgoing, found)
    const container = found.json as InspectedContainer
    const { Id } = container
    if (!(await this.#ownership.owns(factsOf(container))))
      throw new NotAllowed('the container does not belong to this installation')
    switch (action) {
      case 'json': {
        // The environment has the providers' keys, which a worker does not need.
        const { Env: _env, ...config } = container.Config ?? {}
        return reply(outgoing, { status: 200, json: { ...container, Config: config } })
      }
      case 'start':
        return reply(outgoing, await this.#start(container))
      case 'logs':
        return await this.#stream(`/containers/${Id}/logs?${query}`, outgoing)
      case 'stats':
        return reply(outgoing, await callJson(engine, { method, path: `/containers/${Id}/stats?${ONE_MEASUREMENT}` }))
      case 'remove':
        return reply(outgoing, await callJson(engine, { method, path: `/containers/${Id}?${query}` }))
      case 'stop':
      case 'pause':
      case 'unpause':
        return reply(outgoing, await callJson(engine, { method, path: `/containers/${Id}/${action}?${query}` }))
    }
  }

  /**
   * Starts a task's container only in the directory for which it was created. The directory stays open
   * meanwhile, so a replacement cannot get its inode, and the container, which first compares that
   * number, does nothing in another directory.
   */
  async #start({ Id, Config }: InspectedContainer): Promise<Answer> {
    const { engine, policy } = this.#options
    const start = () => callJson(engine, { method: 'POST', path: `/containers/${Id}/start` })
    const taskId = Config?.Labels?.[TASK_LABEL]
    if (taskId === undefined) return await start()
    const root = containerDirectories(policy.workspacesDir, taskId).root
    await using directory = await openDirectory(policy.workspacesDir, root)
    if (!Config?.Env?.includes(rootIdVariable(await directoryId(directory))))
      throw new NotAllowed(`${root} is not the directory for which the container was created`)
    return await start()
  }

  /** Streams a log at the reader's pace until either side closes the connection. */
  async #stream(path: string, outgoing: ServerResponse): Promise<void> {
    const closed = new AbortController()
    outgoing.once('close', () => closed.abort())
    const answer = await openCall(this.#options.engine, { method: 'GET', path, signal: closed.signal })
    const type = answer.headers['content-type'] ?? 'application/octet-stream'
    outgoing.writeHead(answer.statusCode ?? 502, { 'content-type': type })
    answer.once('error', () => outgoing.destroy())
    answer.pipe(outgoing)
  }
}
