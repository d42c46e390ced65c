// The filter between a worker and the Docker engine: an HTTP server that admits the calls a worker makes, on containers of
// tasks, and no others. Whoever takes the worker over gets no more of the engine than that.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { rootMark, SERVER_NAME } from '@switchyard/docker'
import type { Logger } from 'pino'
import { type Admitted, admitCreate, NotAdmitted, type Policy, rootOf } from './create-check.ts'
import { type Answer, callJson, type EngineAddress, openCall } from './engine-calls.ts'
import { removeIdleHolders } from './holders.ts'
import { type Described, factsOf, type Listed, Ours } from './ours.ts'
import { idOf, onHost, openRoot } from './roots.ts'

export type FilterOptions = {
  readonly engine: EngineAddress
  readonly policy: Policy
  /** Where the host has the working directories: a path, or the name of a volume. */
  readonly source: { readonly path: string } | { readonly volume: string }
  readonly logger: Logger
}

const MAX_BODY_BYTES = 1_048_576
const ID = '[0-9a-zA-Z][0-9a-zA-Z_.-]{0,200}'
const ON_CONTAINER: readonly (readonly [string, RegExp])[] = [
  ['GET', new RegExp(`^/containers/(${ID})/(json|logs|stats)$`)],
  ['POST', new RegExp(`^/containers/(${ID})/(start|stop|pause|unpause)$`)],
  ['DELETE', new RegExp(`^/containers/(${ID})$`)],
]
/** The parameters that each of them takes. */
const PARAMETERS: ReadonlySet<string> = new Set(['follow', 'stdout', 'stderr', 't', 'force', 'v'])
/** Measured once: a stream of figures would have no end. */
const ONCE = new URLSearchParams({ stream: 'false', 'one-shot': 'true' })
const VOLUME = /^\/volumes\/([^/]+)$/

const urlOf = (target: string): URL => {
  const url = URL.parse(target, 'http://docker')
  if (!url) throw new NotAdmitted('the request line names no path')
  return url
}

const parseJson = (text: string, what: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    throw new NotAdmitted(`${what} is no JSON`)
  }
}

const readBody = async (incoming: IncomingMessage): Promise<unknown> => {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of incoming) {
    size += chunk.length
    if (size > MAX_BODY_BYTES) throw new NotAdmitted('the body is too long')
    chunks.push(chunk)
  }
  return parseJson(Buffer.concat(chunks).toString('utf8'), 'the body')
}

const reply = (outgoing: ServerResponse, { status, json }: Answer): void => {
  outgoing.writeHead(status, { 'content-type': 'application/json' })
  outgoing.end(json === undefined ? undefined : JSON.stringify(json))
}

const TASK = 'switchyard.task'

type Mount = NonNullable<NonNullable<Admitted['body']['HostConfig']>['Mounts']>[number]

export class Filter {
  readonly #options: FilterOptions
  readonly server: Server
  /** Containers that the engine is making for us. */
  readonly #making = new Set<Promise<Answer>>()
  readonly #ours: Ours
  #isClosed = false

  constructor(options: FilterOptions) {
    this.#options = options
    const { way, server } = options.policy
    this.#ours = new Ours(options.engine, server ? [way.network, server.network] : [way.network])
    this.server = createServer((incoming, outgoing) => void this.#serve(incoming, outgoing))
    // Attach and exec take the connection over; a worker needs neither.
    this.server.on('upgrade', (_incoming, socket) => {
      // The connection is ours from here on, and so are its errors.
      socket.on('error', () => socket.destroy())
      socket.end('HTTP/1.1 403 Forbidden\r\nconnection: close\r\n\r\n')
    })
  }

  /**
   * Makes no more containers, ends every connection, and removes the network namespaces in which nobody is: their workers cannot
   * any more, and the network could not be taken down. A worker that lives on makes its own anew with the next filter.
   */
  async close(): Promise<void> {
    const { engine, policy, logger } = this.#options
    this.#isClosed = true
    this.server.close()
    await Promise.allSettled(this.#making)
    this.server.closeAllConnections()
    await removeIdleHolders(engine, policy.way.network).catch((error: unknown) =>
      logger.warn({ err: error instanceof Error ? error.message : error }, 'network namespaces were left behind'),
    )
  }

  async #serve(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const { logger } = this.#options
    const { method = '', url = '' } = incoming
    try {
      const { pathname, searchParams } = urlOf(url)
      const path = pathname.replace(/^\/v1\.\d+(?=\/)/, '')
      await this.#admit(method, path, searchParams, incoming, outgoing)
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      if (outgoing.headersSent) return void outgoing.destroy()
      if (!(error instanceof NotAdmitted)) {
        logger.warn({ method, url, err: message }, 'the engine did not answer')
        return reply(outgoing, { status: 503, json: { message } })
      }
      logger.warn({ method, url, reason: message }, 'not admitted')
      reply(outgoing, { status: 403, json: { message: `not admitted: ${message}` } })
    }
  }

  async #admit(
    method: string,
    path: string,
    query: URLSearchParams,
    incoming: IncomingMessage,
    outgoing: ServerResponse,
  ): Promise<void> {
    const { engine, policy } = this.#options
    const pass = async (to: string) => reply(outgoing, await callJson(engine, { method, path: to }))
    const route = `${method} ${path}`
    if (route === 'GET /version') return await pass(path)
    if (route === `GET /images/${encodeURI(policy.settings.image)}/json`) return await pass(path)
    if (route === 'GET /containers/json') return await this.#list(query, outgoing)
    if (route === 'POST /containers/create') return await this.#create(query.get('name'), incoming, outgoing)
    const volume = method === 'DELETE' ? VOLUME.exec(path)?.[1] : undefined
    if (volume !== undefined && SERVER_NAME.test(volume)) {
      await this.#requireVolume(volume)
      return await pass(path)
    }
    for (const [verb, pattern] of ON_CONTAINER) {
      const [, id, action] = verb === method ? (pattern.exec(path) ?? []) : []
      if (id !== undefined) return await this.#onContainer(method, id, action ?? 'remove', query, outgoing)
    }
    throw new NotAdmitted('a worker makes no such call')
  }

  /** Only containers of this installation are shown, whatever else the engine runs. */
  async #list(query: URLSearchParams, outgoing: ServerResponse): Promise<void> {
    const filters = parseJson(query.get('filters') ?? '{}', 'filters') as { label?: unknown } | null
    const labels = filters?.label
    const isAdmitted =
      Array.isArray(labels) && labels.some((label) => /^switchyard\.(task|namespace)(=|$)/.test(String(label)))
    if (!isAdmitted) throw new NotAdmitted('the containers of tasks are asked for by label')
    const to = `/containers/json?all=1&filters=${encodeURIComponent(JSON.stringify({ label: labels }))}`
    const { status, json } = await callJson(this.#options.engine, { method: 'GET', path: to })
    if (status !== 200) return reply(outgoing, { status, json })
    reply(outgoing, { status, json: await this.#ours.only(json as readonly Listed[]) })
  }

  async #create(name: string | null, incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const admitted = admitCreate(this.#options.policy, name, await readBody(incoming))
    if (admitted.joins !== undefined) await this.#requireHolder(admitted.joins)
    const body = await this.#completed(admitted)
    const making = () => this.#make(name ?? '', body)
    const first = await making()
    const isOutdated = first.status === 409 && (await this.#removeOutdated(name ?? '', body))
    const answer = isOutdated ? await making() : first
    this.#options.logger.info({ name, status: answer.status }, 'container made')
    reply(outgoing, answer)
  }

  async #make(name: string, body: Admitted['body']): Promise<Answer> {
    if (this.#isClosed) return { status: 503, json: { message: 'the filter is being stopped' } }
    const path = `/containers/create?name=${encodeURIComponent(name)}`
    const making = callJson(this.#options.engine, { method: 'POST', path, body })
    this.#making.add(making)
    return await making.finally(() => this.#making.delete(making))
  }

  /** The body with what only the filter knows: where the host has the directory, which one that is, and whose all of it is. */
  async #completed({ body, root, taskId }: Admitted): Promise<Admitted['body']> {
    const Labels = { ...body.Labels, ...this.#ours.mark }
    if (root === null) return { ...body, Labels }
    const { workspacesDir } = this.#options.policy
    await using directory = await openRoot(workspacesDir, root)
    const Env = taskId === undefined ? body.Env : [...(body.Env ?? []), rootMark(await idOf(directory))]
    const Source = onHost(workspacesDir, await this.#source(), root)
    const [, ...volumes] = body.HostConfig?.Mounts ?? []
    const Mounts: Mount[] = [{ Type: 'bind', Source, Target: root, ReadOnly: false }]
    for (const volume of volumes) Mounts.push(await this.#marked(volume))
    return { ...body, Labels, Env, HostConfig: { ...body.HostConfig, Mounts } }
  }

  async #marked(volume: Mount): Promise<Mount> {
    await this.#requireVolume(volume.Source)
    return {
      ...volume,
      VolumeOptions: { NoCopy: false, Labels: { ...this.#ours.mark }, DriverConfig: { Name: 'local', Options: {} } },
    }
  }

  async #requireVolume(name: string): Promise<void> {
    if (await this.#ours.mayHaveVolume(name)) return
    throw new NotAdmitted(`the volume ${name} is that of another installation`)
  }

  /**
   * A container that was made for a directory which is there no more, or by a filter that did not look which it is, could never be
   * started. It has not run: another one takes its place.
   */
  async #removeOutdated(name: string, { Env }: Admitted['body']): Promise<boolean> {
    const { engine } = this.#options
    const { json } = await callJson(engine, { method: 'GET', path: `/containers/${name}/json` })
    const found = json as Described
    const mark = Env?.find((entry) => entry.startsWith(rootMark('')))
    if (found.State?.Status !== 'created' || mark === undefined || found.Config?.Env?.includes(mark)) return false
    if (!(await this.#ours.has(factsOf(found)))) return false
    await callJson(engine, { method: 'DELETE', path: `/containers/${name}?v=1` })
    return true
  }

  /** The namespace of any other container would lead into that one's network. One that has gone is for the engine to tell. */
  async #requireHolder(id: string): Promise<void> {
    const found = await callJson(this.#options.engine, { method: 'GET', path: `/containers/${id}/json` })
    if (found.status === 404) return
    const facts = factsOf(found.json as Described)
    if (facts.labels['switchyard.namespace'] === undefined || !(await this.#ours.has(facts)))
      throw new NotAdmitted('HostConfig.NetworkMode names a container that holds no network namespace for tasks')
  }

  async #source(): Promise<string> {
    const { engine, source } = this.#options
    if ('path' in source) return source.path
    const { json } = await callJson(engine, { method: 'GET', path: `/volumes/${encodeURIComponent(source.volume)}` })
    const place = (json as { Mountpoint?: unknown } | undefined)?.Mountpoint
    if (typeof place !== 'string') throw new Error(`the engine has no volume ${source.volume}`)
    return place
  }

  async #onContainer(
    method: string,
    id: string,
    action: string,
    query: URLSearchParams,
    outgoing: ServerResponse,
  ): Promise<void> {
    const { engine } = this.#options
    const found = await callJson(engine, { method: 'GET', path: `/containers/${id}/json` })
    if (found.status !== 200) return reply(outgoing, found)
    const described = found.json as Described
    const { Id } = described
    if (!(await this.#ours.has(factsOf(described))))
      throw new NotAdmitted('this is no container of a task of this installation')
    if (action === 'json') {
      // The keys of providers are in it, and a worker has no use for them.
      const { Env: _env, ...config } = described.Config ?? {}
      return reply(outgoing, { status: 200, json: { ...described, Config: config } })
    }
    if (action === 'start') return reply(outgoing, await this.#start(described))
    const kept = new URLSearchParams([...query].filter(([name]) => PARAMETERS.has(name)))
    if (action === 'stats')
      return reply(outgoing, await callJson(engine, { method, path: `/containers/${Id}/stats?${ONCE}` }))
    const to = action === 'remove' ? `/containers/${Id}?${kept}` : `/containers/${Id}/${action}?${kept}`
    if (action !== 'logs') return reply(outgoing, await callJson(engine, { method, path: to }))
    await this.#stream(to, outgoing)
  }

  /**
   * Only in the directory for which it was made. That is held open meanwhile: nothing that comes into its place can have its number,
   * and the container, whose first look is at that number, does nothing in another.
   */
  async #start({ Id, Config }: Described): Promise<Answer> {
    const { engine, policy } = this.#options
    const start = () => callJson(engine, { method: 'POST', path: `/containers/${Id}/start` })
    const taskId = Config?.Labels?.[TASK]
    if (taskId === undefined) return await start()
    const root = rootOf(policy, taskId)
    await using directory = await openRoot(policy.workspacesDir, root)
    if (!Config?.Env?.includes(rootMark(await idOf(directory))))
      throw new NotAdmitted(`${root} is not the directory for which the container was made`)
    return await start()
  }

  /** The log goes through as it comes, as slowly as it is read, until either side ends it. */
  async #stream(to: string, outgoing: ServerResponse): Promise<void> {
    const ended = new AbortController()
    outgoing.once('close', () => ended.abort())
    const answer = await openCall(this.#options.engine, { method: 'GET', path: to, signal: ended.signal })
    const type = answer.headers['content-type'] ?? 'application/octet-stream'
    outgoing.writeHead(answer.statusCode ?? 502, { 'content-type': type })
    answer.once('error', () => outgoing.destroy())
    answer.pipe(outgoing)
  }
}
