// An OpenAI-compatible model provider that plays the script in the prompt.

import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { type CallKind, type ChatRequest, type Conversation, readConversation } from './conversation.ts'
import { Gates } from './gates.ts'
import { RemainingTurns, withoutPreludes } from './remaining-turns.ts'
import { replyTo } from './reply.ts'
import type { Prelude, ScriptedFailure, Turn } from './script.ts'
import { chunksOf, completion } from './wire.ts'

/** One call to the model, for tests that check which calls arrived. */
export type ModelRequest = {
  /** Milliseconds since the epoch. */
  readonly at: number
  readonly kind: CallKind
  readonly model: string
  /** Identifies the session: its id if the client sends it. */
  readonly session: string
  /** The last user message without its script. */
  readonly lastUser: string
  /** Number of the turn in the script, from 0; -1 without a script. */
  readonly turn: number
  readonly tools: readonly string[]
  /** Number of messages in the request. */
  readonly messages: number
}

export type ScriptedModel = {
  /** Base address without the `/v1`. */
  readonly url: string
  /** The newest 10,000 calls, oldest first. */
  readonly requests: readonly ModelRequest[]
  /**
   * Resolves with the first past or future call that matches; rejects after `timeoutMs` (default 10
   * s).
   */
  readonly waitForRequest: (predicate: (request: ModelRequest) => boolean, timeoutMs?: number) => Promise<ModelRequest>
  /** Lets every step continue that waits for this name with `hold`, now or later. */
  readonly release: (name: string) => void
  /** Closes every connection and stops listening. */
  readonly close: () => Promise<void>
}

const MAX_LOG = 10_000
const MAX_BODY_BYTES = 32 * 1_048_576
// OpenCode aborts a call to a provider that sends nothing for 300 s.
const KEEP_ALIVE_MS = 10_000
const MAX_HOLD_MS = 3_600_000

/**
 * Starts the model.
 *
 * @param options - port (default: a free one) and host (default: loopback)
 *
 * @example
 * const model = await startScriptedModel()
 * const config = opencodeConfig(model.url)
 */
export const startScriptedModel = async (
  options: { readonly port?: number; readonly host?: string } = {},
): Promise<ScriptedModel> => {
  const requests: ModelRequest[] = []
  const watchers = new Set<(request: ModelRequest) => void>()
  const gates = new Gates()
  const failures = new Map<string, number>()
  const remainingTurns = new RemainingTurns()
  const sockets = new Set<Socket>()
  const closing = new AbortController()

  const log = (request: ModelRequest) => {
    requests.push(request)
    if (requests.length > MAX_LOG) requests.shift()
    for (const watcher of watchers) watcher(request)
  }

  const complete = async (incoming: IncomingMessage, response: ServerResponse): Promise<void> => {
    const request = JSON.parse(await bodyOf(incoming)) as ChatRequest
    const session = sessionHeader(incoming)
    const read = readConversation(request, session)
    const remaining = read.kind === 'compaction' ? remainingTurns.get(session) : undefined
    const conversation = remaining ? { ...read, remaining } : read
    log(logEntry(request, conversation, session))
    const disconnected = new AbortController()
    response.once('close', () => disconnected.abort())
    const signal = AbortSignal.any([disconnected.signal, closing.signal])
    const setRemaining = (turns: readonly Turn[]) => {
      if (conversation.kind === 'turn') remainingTurns.set(session, turns)
    }
    await play(request, conversation, response, { gates, failures, signal, setRemaining })
  }

  const server = createServer((incoming, response) => {
    route(incoming, response).catch((error: unknown) => {
      if (response.destroyed) return
      if (response.headersSent) response.destroy()
      else answerJson(response, 400, failureBody(400, error instanceof Error ? error.message : String(error)))
    })
  })
  // A step with `hold` may wait for any time.
  server.requestTimeout = 0
  server.keepAliveTimeout = 60_000

  const route = async (incoming: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { pathname } = new URL(incoming.url ?? '/', 'http://model')
    const call = `${incoming.method} ${pathname}`
    if (call === 'POST /v1/chat/completions') return complete(incoming, response)
    if (call === 'GET /v1/models') return answerJson(response, 200, modelList)
    if (call === 'GET /health') return answerJson(response, 200, { status: 'ok', requests: requests.length })
    if (call === 'GET /control/requests') return answerJson(response, 200, { requests })
    const name = /^POST \/control\/release\/(.+)$/.exec(call)?.[1]
    if (name === undefined) return answerJson(response, 404, failureBody(404, `no route ${call}`))
    gates.release(decodeURIComponent(name))
    return answerJson(response, 200, { released: decodeURIComponent(name) })
  }

  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  server.listen(options.port ?? 0, options.host ?? '127.0.0.1')
  await once(server, 'listening')
  const address = server.address() as AddressInfo
  const host = address.family === 'IPv6' ? `[${address.address}]` : address.address

  return {
    url: `http://${host}:${address.port}`,
    requests,
    release: (name) => gates.release(name),
    waitForRequest: (predicate, timeoutMs = 10_000) =>
      new Promise((resolve, reject) => {
        const settle = (finish: () => void) => {
          clearTimeout(timer)
          watchers.delete(watcher)
          finish()
        }
        const watcher = (request: ModelRequest) => {
          if (predicate(request)) settle(() => resolve(request))
        }
        const timer = setTimeout(
          () => settle(() => reject(new Error(`no such model request within ${timeoutMs} ms`))),
          timeoutMs,
        )
        watchers.add(watcher)
        const earlier = requests.find(predicate)
        if (earlier) settle(() => resolve(earlier))
      }),
    close: async () => {
      closing.abort()
      const closed = once(server, 'close')
      server.close()
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
}

type PlayDeps = {
  readonly gates: Gates
  readonly failures: Map<string, number>
  readonly signal: AbortSignal
  /** Records the turns that remain after this call. */
  readonly setRemaining: (turns: readonly Turn[]) => void
}

const play = async (
  request: ChatRequest,
  conversation: Conversation,
  response: ServerResponse,
  deps: PlayDeps,
): Promise<void> => {
  const preludes = conversation.kind === 'turn' ? (conversation.turn?.preludes ?? []) : []
  const keepAlive = request.stream === true ? startKeepAlive(response, preludes) : undefined
  let cut = false
  try {
    for (const [at, prelude] of preludes.entries()) {
      if (prelude.wait !== undefined) await delay(prelude.wait, undefined, { signal: deps.signal })
      if (prelude.hold !== undefined) await deps.gates.wait(prelude.hold, MAX_HOLD_MS, deps.signal)
      const key = `${conversation.key}:${conversation.index}:${at}`
      if (prelude.fail && isDue(deps.failures, `${key}:fail`, prelude.fail.times ?? 1)) {
        deps.setRemaining(withoutPreludes(conversation.remaining, at + 1))
        return fail(response, prelude.fail)
      }
      cut ||= isCut(prelude, deps.failures, `${key}:drop`)
    }
    deps.setRemaining(conversation.remaining.slice(cut ? 0 : 1))
    await answer(request, conversation, response, { cut, signal: deps.signal })
  } catch (error) {
    // The client disconnected or the model is closing, so nothing can be answered.
    if (!deps.signal.aborted) throw error
  } finally {
    clearInterval(keepAlive)
  }
}

// Sends the headers immediately, as a provider does whose model still thinks. A step that may fail
// with an HTTP status cannot do that.
const startKeepAlive = (response: ServerResponse, preludes: readonly Prelude[]): NodeJS.Timeout | undefined => {
  if (preludes.length === 0 || preludes.some((prelude) => prelude.fail)) return undefined
  startStream(response)
  response.write(': waiting\n\n')
  return setInterval(() => response.write(': waiting\n\n'), KEEP_ALIVE_MS)
}

const answer = async (
  request: ChatRequest,
  conversation: Conversation,
  response: ServerResponse,
  { cut, signal }: { readonly cut: boolean; readonly signal: AbortSignal },
): Promise<void> => {
  const reply = replyTo(conversation)
  const head = { id: `chatcmpl-${crypto.randomUUID()}`, created: Math.floor(Date.now() / 1000), model: request.model }
  if (request.stream !== true) {
    if (cut) response.destroy()
    else answerJson(response, 200, completion(head, reply))
    return
  }
  startStream(response)
  const chunks = [...chunksOf(head, reply, request.stream_options?.include_usage === true)]
  const last = cut ? Math.ceil(chunks.length / 2) : chunks.length
  for (const chunk of chunks.slice(0, last)) {
    if (!response.write(chunk.data)) await once(response, 'drain', { signal })
    if (chunk.isText && reply.delayMs > 0) await delay(reply.delayMs, undefined, { signal })
  }
  if (cut) await flushAndDestroy(response)
  else response.end()
}

// Flushes before closing, so that the client receives the first half of the answer.
const flushAndDestroy = async (response: ServerResponse): Promise<void> => {
  await new Promise<void>((resolve) => response.write(': cut\n\n', () => resolve()))
  response.destroy()
}

const startStream = (response: ServerResponse): void => {
  if (response.headersSent) return
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' })
}

const isCut = (prelude: Prelude, failures: Map<string, number>, key: string): boolean =>
  prelude.drop !== undefined && isDue(failures, key, prelude.drop === true ? 1 : prelude.drop.times)

// The number of failures of a step is state of this process: a request does not contain it.
const isDue = (failures: Map<string, number>, key: string, times: number): boolean => {
  const done = failures.get(key) ?? 0
  if (times !== 0 && done >= times) return false
  failures.set(key, done + 1)
  return true
}

const fail = (response: ServerResponse, failure: ScriptedFailure): void => {
  const canRetry = failure.status === 429 || failure.status >= 500
  if (canRetry) response.setHeader('retry-after-ms', String(failure.retry_after_ms ?? 50))
  answerJson(response, failure.status, failureBody(failure.status, failure.message ?? REASONS[failure.status]))
}

const REASONS: Readonly<Record<number, string>> = {
  400: 'The request is not valid',
  401: 'Incorrect API key provided',
  403: 'The key may not use this model',
  429: 'Rate limit reached',
  500: 'The server had an error while processing the request',
  503: 'The model is overloaded',
}

const failureBody = (status: number, message = `failed with ${status}`): Record<string, unknown> => ({
  error: { message, type: 'scripted_error', param: null, code: String(status) },
})

const modelList = {
  object: 'list',
  data: ['model', 'other'].map((id) => ({ id, object: 'model', created: 0, owned_by: 'scripted' })),
}

const answerJson = (response: ServerResponse, status: number, body: unknown): void => {
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end(JSON.stringify(body))
}

const bodyOf = async (incoming: IncomingMessage): Promise<string> => {
  const parts: Buffer[] = []
  let size = 0
  for await (const part of incoming) {
    size += part.length
    if (size > MAX_BODY_BYTES) throw new Error('the request is too large')
    parts.push(part)
  }
  return Buffer.concat(parts).toString('utf8')
}

const sessionHeader = (incoming: IncomingMessage): string | undefined => {
  const value = incoming.headers['x-session-affinity'] ?? incoming.headers['x-session-id']
  return typeof value === 'string' ? value : undefined
}

const logEntry = (request: ChatRequest, conversation: Conversation, session: string | undefined): ModelRequest => ({
  at: Date.now(),
  kind: conversation.kind,
  model: request.model,
  session: session ?? conversation.key,
  lastUser: conversation.lastUser,
  turn: conversation.scripted ? conversation.index : -1,
  tools: (request.tools ?? []).map((tool) => tool.function.name),
  messages: request.messages.length,
})
