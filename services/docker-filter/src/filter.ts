// The filter between a worker and the Docker engine: an HTTP server that admits the calls a worker makes, on containers of
// tasks, and no others. Whoever takes the worker over gets no more of the engine than that.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { SERVER_NAME } from '@switchyard/docker'
import type { Logger } from 'pino'
import { type Admitted, admitCreate, NotAdmitted, type Policy } from './create-check.ts'
import { type Answer, callJson, type EngineAddress, openCall } from './engine-calls.ts'
import { removeIdleHolders } from './holders.ts'
import { onHost, requireRealDirectory } from './mounts.ts'

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

const OURS = ['switchyard.task', 'switchyard.server', 'switchyard.namespace'] as const

type Mount = NonNullable<NonNullable<Admitted['body']['HostConfig']>['Mounts']>[number]

type Described = {
  readonly Config?: { readonly Labels?: Record<string, string>; Env?: unknown }
  readonly Mounts?: readonly { readonly Destination?: string }[]
}

export class Filter {
  readonly #options: FilterOptions
  readonly server: Server
  /** Containers that the engine is making for us. */
  readonly #making = new Set<Promise<Answer>>()
  #isClosed = false

  constructor(options: FilterOptions) {
    this.#options = options
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
    if (volume !== undefined && SERVER_NAME.test(volume)) return await pass(path)
    for (const [verb, pattern] of ON_CONTAINER) {
      const [, id, action] = verb === method ? (pattern.exec(path) ?? []) : []
      if (id !== undefined) return await this.#onContainer(method, id, action ?? 'remove', query, outgoing)
    }
    throw new NotAdmitted('a worker makes no such call')
  }

  /** Only containers of tasks are shown, whatever else the engine runs. */
  async #list(query: URLSearchParams, outgoing: ServerResponse): Promise<void> {
    const filters = parseJson(query.get('filters') ?? '{}', 'filters') as { label?: unknown } | null
    const labels = filters?.label
    const isOurs =
      Array.isArray(labels) && labels.some((label) => /^switchyard\.(task|namespace)(=|$)/.test(String(label)))
    if (!isOurs) throw new NotAdmitted('the containers of tasks are asked for by label')
    const to = `/containers/json?all=1&filters=${encodeURIComponent(JSON.stringify({ label: labels }))}`
    reply(outgoing, await callJson(this.#options.engine, { method: 'GET', path: to }))
  }

  async #create(name: string | null, incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const { engine, policy, logger } = this.#options
    const { body, root, joins } = admitCreate(policy, name, await readBody(incoming))
    if (joins !== undefined) await this.#requireHolder(joins)
    const Mounts = root === null ? [] : await this.#mounts(root, body.HostConfig?.Mounts ?? [])
    if (this.#isClosed) return reply(outgoing, { status: 503, json: { message: 'the filter is being stopped' } })
    const making = callJson(engine, {
      method: 'POST',
      path: `/containers/create?name=${encodeURIComponent(name ?? '')}`,
      body: { ...body, HostConfig: { ...body.HostConfig, Mounts } },
    })
    this.#making.add(making)
    const answer = await making.finally(() => this.#making.delete(making))
    logger.info({ name, status: answer.status }, 'container made')
    reply(outgoing, answer)
  }

  /** The namespace of any other container would lead into that one's network. One that has gone is for the engine to tell. */
  async #requireHolder(id: string): Promise<void> {
    const found = await callJson(this.#options.engine, { method: 'GET', path: `/containers/${id}/json` })
    if (found.status === 404) return
    const labels = (found.json as Described).Config?.Labels ?? {}
    if (labels['switchyard.namespace'] === undefined)
      throw new NotAdmitted('HostConfig.NetworkMode names a container that holds no network namespace for tasks')
  }

  async #mounts(root: string, mounts: readonly Mount[]): Promise<readonly Mount[]> {
    const { workspacesDir } = this.#options.policy
    await requireRealDirectory(workspacesDir, root)
    const source = onHost(workspacesDir, await this.#source(), root)
    const [, ...volumes] = mounts
    return [{ Type: 'bind', Source: source, Target: root, ReadOnly: false }, ...volumes]
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
    const { engine, policy } = this.#options
    const found = await callJson(engine, { method: 'GET', path: `/containers/${id}/json` })
    if (found.status !== 200) return reply(outgoing, found)
    const described = found.json as Described
    const labels = described.Config?.Labels ?? {}
    if (!OURS.some((label) => labels[label] !== undefined)) throw new NotAdmitted('this is no container of a task')
    if (action === 'json') {
      // The keys of providers are in it, and a worker has no use for them.
      const { Env: _env, ...config } = described.Config ?? {}
      return reply(outgoing, { status: 200, json: { ...described, Config: config } })
    }
    // Looked at again: a link may have come into its place since the container was made.
    if (action === 'start')
      for (const { Destination } of described.Mounts ?? [])
        if (Destination?.startsWith(policy.workspacesDir)) await requireRealDirectory(policy.workspacesDir, Destination)
    const kept = new URLSearchParams([...query].filter(([name]) => PARAMETERS.has(name)))
    if (action === 'stats')
      return reply(outgoing, await callJson(engine, { method, path: `/containers/${id}/stats?${ONCE}` }))
    const to = action === 'remove' ? `/containers/${id}?${kept}` : `/containers/${id}/${action}?${kept}`
    if (action !== 'logs') return reply(outgoing, await callJson(engine, { method, path: to }))
    await this.#stream(to, outgoing)
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
