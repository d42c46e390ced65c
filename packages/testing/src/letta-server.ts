// A fake Letta server, for tests that cannot run a real one. It is an HTTP server that checks
// path, method, token and body of every call, and answers as Letta does, including the 409 for a
// message to an unknown agent.

import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import type { z } from 'zod'
import { asyncMessagesSchema, createBlockSchema, updateBlockSchema } from './letta-wire.ts'

type Message = z.infer<typeof asyncMessagesSchema>['messages'][number] & { readonly agentId: string }
type RunStatus = 'created' | 'running' | 'completed' | 'failed'
type Run = { id: string; agent_id: string; status: RunStatus; created_at: string; metadata: Record<string, unknown> }
type Block = { id: string; label: string; value: string; limit: number; description: string | null }

/**
 * How to answer a call: with an error status; normally (`pass`); not at all, with the connection
 * open (`hang`); or by executing it and closing the connection (`cut`).
 */
type LettaAnswer = number | 'pass' | 'hang' | 'cut'

export type LettaServer = {
  readonly url: string
  /** Messages of all agents, in order of arrival. */
  readonly messages: readonly Message[]
  readonly runs: readonly Run[]
  readonly blocks: ReadonlyMap<string, Block>
  /** Every call as `METHOD path`, in order. */
  readonly calls: readonly string[]
  /**
   * Mistakes of the client: calls that were rejected with 422, and messages to an agent with an
   * active run.
   */
  readonly faults: readonly string[]
  addAgent(): string
  removeAgent(id: string): void
  /** Returns the labels of an agent's blocks. */
  blocksOf(agentId: string): readonly string[]
  /** Sets whether runs finish immediately, which is the default, or only with `finishRuns`. */
  endRuns(immediately: boolean): void
  /** Starts a run that Switchyard did not cause. Returns its id. */
  startRun(agentId: string): string
  /**
   * Finishes all runs. With `failure` they fail with that error, and the last message of each agent
   * is lost.
   */
  finishRuns(failure?: string): void
  /** Requires this token from now on; undefined accepts every call. */
  setToken(token: string | undefined): void
  /** Delays every answer, ms. */
  slowDown(ms: number): void
  /** Sets how the next calls are answered, in order. */
  answerNext(...answers: LettaAnswer[]): void
  close(): Promise<void>
}

class HttpError extends Error {
  readonly status: number
  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

type Call = {
  readonly body: unknown
  readonly query: URLSearchParams
  readonly ids: readonly string[]
}
type Route = readonly [method: string, path: RegExp, answer: (call: Call) => unknown]

const SEGMENT = '([^/]+)'
const route = (method: string, path: string, answer: Route[2]): Route => [
  method,
  new RegExp(`^${path.replaceAll('*', SEGMENT)}$`),
  answer,
]

/**
 * Starts the server on loopback.
 *
 * @param port - 0 for a free one
 */
export const startLettaServer = async (port = 0): Promise<LettaServer> => {
  const agents = new Map<string, Set<string>>()
  const messages: Message[] = []
  const lost = new Set<Message>()
  const runs: Run[] = []
  const blocks = new Map<string, Block>()
  const calls: string[] = []
  const faults: string[] = []
  const answers: LettaAnswer[] = []
  let token: string | undefined
  let finishesImmediately = true
  let slowMs = 0

  const checked = <S extends z.ZodType>(schema: S, body: unknown): z.infer<S> => {
    const parsed = schema.safeParse(body)
    if (parsed.success) return parsed.data
    faults.push(parsed.error.message)
    throw new HttpError(422, parsed.error.message)
  }
  const agentOf = (id = ''): Set<string> => {
    const agent = agents.get(id)
    if (!agent) throw new HttpError(404, `Agent ${id} not found`)
    return agent
  }
  const blockOf = (id = ''): Block => {
    const block = blocks.get(id)
    if (!block) throw new HttpError(404, `Block ${id} not found`)
    return block
  }
  const isActive = (run: Run): boolean => run.status === 'created' || run.status === 'running'
  const newRun = (agentId: string, status: RunStatus): Run => {
    const run: Run = {
      id: `run-${randomUUID()}`,
      agent_id: agentId,
      status,
      created_at: new Date().toISOString(),
      metadata: {},
    }
    runs.push(run)
    return run
  }

  const receive: Route[2] = ({ ids: [agentId = ''], body }) => {
    const { messages: got } = checked(asyncMessagesSchema, body)
    // Letta answers 409 instead of 404 here, because the database's foreign key rejects the
    // message.
    if (!agents.has(agentId)) throw new HttpError(409, 'violates foreign key constraint')
    if (runs.some((run) => run.agent_id === agentId && isActive(run))) {
      faults.push(`a message to ${agentId} during one of its runs`)
      throw new HttpError(409, 'Another request is currently being processed')
    }
    messages.push(...got.map((message) => ({ ...message, agentId })))
    const run = newRun(agentId, 'created')
    // The answer shows the run as created, even if it finishes immediately.
    const answer = { ...run }
    if (finishesImmediately) run.status = 'completed'
    return answer
  }

  const routes: readonly Route[] = [
    route('GET', '/v1/health/', () => ({ status: 'ok', version: '0' })),
    route('GET', '/v1/agents/*', ({ ids: [id] }) => {
      agentOf(id)
      return { id }
    }),
    route('POST', '/v1/agents/*/messages/async', receive),
    route('GET', '/v1/agents/*/messages', ({ ids: [id] }) => {
      agentOf(id)
      const had = messages.filter((message) => message.agentId === id && !lost.has(message))
      return had.toReversed().map(({ otid, content }) => ({
        id: `message-${randomUUID()}`,
        date: new Date().toISOString(),
        message_type: 'system_message',
        content,
        otid,
      }))
    }),
    route('GET', '/v1/runs/', ({ query }) =>
      runs.filter((run) => run.agent_id === query.get('agent_id') && (query.get('active') !== 'true' || isActive(run))),
    ),
    route('GET', '/v1/runs/*', ({ ids: [id] }) => {
      const run = runs.find((one) => one.id === id)
      if (!run) throw new HttpError(404, `Run ${id} not found`)
      return run
    }),
    route('GET', '/v1/agents/*/core-memory/blocks', ({ ids: [id] }) => [...agentOf(id)].map(blockOf)),
    route('PATCH', '/v1/agents/*/core-memory/blocks/attach/*', ({ ids: [id, block] }) => {
      agentOf(id).add(blockOf(block).id)
      return { id }
    }),
    route('PATCH', '/v1/agents/*/core-memory/blocks/detach/*', ({ ids: [id, block] }) => {
      agentOf(id).delete(blockOf(block).id)
      return { id }
    }),
    route('GET', '/v1/blocks/', ({ query }) =>
      [...blocks.values()].filter((block) => block.label === query.get('label')),
    ),
    route('POST', '/v1/blocks/', ({ body }) => {
      const { label, value, limit, description } = checked(createBlockSchema, body)
      const block = {
        id: `block-${randomUUID()}`,
        label,
        value,
        limit: limit ?? 5_000,
        description: description ?? null,
      }
      blocks.set(block.id, block)
      return block
    }),
    route('GET', '/v1/blocks/*', ({ ids: [id] }) => blockOf(id)),
    route('PATCH', '/v1/blocks/*', ({ ids: [id], body }) => {
      const block = blockOf(id)
      const { value } = checked(updateBlockSchema, body)
      if (value.length > block.limit) {
        faults.push(`a value of ${value.length} characters in a block of ${block.limit}`)
        throw new HttpError(422, 'exceeds the limit')
      }
      block.value = value
      return block
    }),
    route('DELETE', '/v1/blocks/*', ({ ids: [id] }) => {
      blocks.delete(blockOf(id).id)
      for (const attached of agents.values()) attached.delete(id ?? '')
      return {}
    }),
  ]

  const answerOf = (request: IncomingMessage, raw: string): unknown => {
    const url = new URL(request.url ?? '/', 'http://letta')
    if (token !== undefined && request.headers.authorization !== `Bearer ${token}`)
      throw new HttpError(401, 'Unauthorized')
    const [found] = routes.flatMap(([method, path, answer]) => {
      const match = method === request.method && path.exec(url.pathname)
      return match ? [{ answer, ids: match.slice(1).map(decodeURIComponent) }] : []
    })
    if (!found) throw new HttpError(404, `no ${request.method} ${url.pathname}`)
    return found.answer({ body: raw === '' ? undefined : JSON.parse(raw), query: url.searchParams, ids: found.ids })
  }

  const respond = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    let raw = ''
    for await (const chunk of request.setEncoding('utf8')) raw += chunk
    calls.push(`${request.method} ${request.url}`)
    const forced = answers.shift()
    if (forced === 'hang') return
    if (slowMs > 0) await delay(slowMs)
    const send = (status: number, body: unknown) =>
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
    if (typeof forced === 'number') return void send(forced, { detail: 'as the test requested' })
    try {
      const body = answerOf(request, raw)
      if (forced === 'cut') response.destroy()
      else send(200, body)
    } catch (error) {
      if (!(error instanceof HttpError)) throw error
      send(error.status, { detail: error.message })
    }
  }

  const server = createServer((request, response) => {
    respond(request, response).catch(() => response.destroy())
  })
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const bound = typeof address === 'object' && address !== null ? address.port : port
  return {
    url: `http://127.0.0.1:${bound}`,
    messages,
    runs,
    blocks,
    calls,
    faults,
    addAgent() {
      const id = `agent-${randomUUID()}`
      agents.set(id, new Set())
      return id
    },
    removeAgent: (id) => void agents.delete(id),
    blocksOf: (id) => [...(agents.get(id) ?? [])].map((block) => blockOf(block).label),
    endRuns(immediately) {
      finishesImmediately = immediately
    },
    startRun: (id) => newRun(id, 'running').id,
    finishRuns(failure) {
      for (const run of runs.filter(isActive)) {
        run.status = failure === undefined ? 'completed' : 'failed'
        if (failure === undefined) continue
        run.metadata = { error: failure }
        const last = messages.findLast((message) => message.agentId === run.agent_id)
        if (last) lost.add(last)
      }
    },
    setToken(value) {
      token = value
    },
    slowDown(ms) {
      slowMs = ms
    },
    answerNext: (...more) => void answers.push(...more),
    async close() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}
