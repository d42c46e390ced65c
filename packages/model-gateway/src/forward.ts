// Sends a request on to its provider and the answer back, byte for byte as they arrive.

import { Readable } from 'node:stream'
import type { ReadableStream as WebReadableStream } from 'node:stream/web'
import { type Dispatcher, request } from 'undici'
import type { PresentedToken } from './presented-token.ts'
import { matchEndpoint, needsBody } from './providers/match-endpoint.ts'
import { type Endpoint, type GatewayProvider, KEY_HEADERS } from './providers/provider.ts'
import { createAnswerMeter } from './usage/answer-meter.ts'
import type { TokenCounts } from './usage/token-counts.ts'
import { NO_TOKENS } from './usage/token-counts.ts'

/** Headers of one connection, and those that the client library sets itself. */
const NOT_FORWARDED: ReadonlySet<string> = new Set([
  ...KEY_HEADERS,
  'connection',
  'expect',
  'host',
  'keep-alive',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

/** Headers of the provider's answer that only its own connection needs. */
const NOT_RETURNED: ReadonlySet<string> = new Set(['connection', 'keep-alive', 'set-cookie', 'transfer-encoding'])

/** Requests that must be signed, or whose model selects the address, are read whole. */
const MAX_BUFFERED_BYTES = 64 * 1_048_576

export type ForwardOptions = {
  readonly provider: GatewayProvider
  /** The SDK's path and query, after the provider's id. */
  readonly path: string
  readonly query: string
  readonly presented: PresentedToken
  readonly incoming: Request
  readonly dispatcher: Dispatcher
  /** Called once, when the answer is complete or has failed. */
  readonly onEnd: (result: {
    readonly status: number
    readonly model: string | null
    readonly tokens: TokenCounts
  }) => void
}

/**
 * Calls the provider.
 *
 * @returns its answer, whose body streams; undefined if no address of the provider matches the request.
 * @throws the client library's error if the provider does not answer, the credential's if there is none
 */
export const forward = async (options: ForwardOptions): Promise<Response | undefined> => {
  const { provider, path, query, presented, incoming } = options
  const body = needsBody(provider) ? await readBody(incoming) : undefined
  let model = modelInPath(path) ?? (body === undefined ? null : modelInBody(body))
  const endpoint = matchEndpoint(provider, { keyHeader: presented.keyHeader, path, model: model ?? undefined })
  if (endpoint === undefined) return undefined
  const url = addressOf(endpoint, path, query)
  const headers = await outgoingHeaders(options, endpoint, url, body)
  const answer = await request(url, {
    method: incoming.method as Dispatcher.HttpMethod,
    headers,
    body:
      body ??
      (incoming.body
        ? passedOn(incoming.body, (chunk) => {
            model ??= modelInBody(chunk)
          })
        : null),
    dispatcher: options.dispatcher,
    signal: incoming.signal,
  }).catch((error: unknown) => {
    options.onEnd({ status: 0, model, tokens: NO_TOKENS })
    throw error
  })
  return new Response(
    metered(answer, (tokens) => options.onEnd({ status: answer.statusCode, model, tokens })),
    {
      status: answer.statusCode,
      headers: returnedHeaders(answer.headers),
    },
  )
}

const readBody = async (incoming: Request): Promise<Uint8Array> => {
  const body = new Uint8Array(await incoming.arrayBuffer())
  if (body.length > MAX_BUFFERED_BYTES) throw new RangeError('the request is larger than 64 MiB')
  return body
}

/** Bedrock, Gemini and Vertex name the model in the path, all others in the body. */
const modelInPath = (path: string): string | null => {
  const named = /\/models?\/([^/:]+)/.exec(path)?.[1] ?? /^\/([^/:]+):(?:stream)?rawPredict$/i.exec(path)?.[1]
  return named === undefined ? null : decodeURIComponent(named)
}

/** SDKs write the model first, so it is in the first chunk of a body. */
const modelInBody = (body: Uint8Array): string | null =>
  /^\s*\{\s*"model"\s*:\s*"([^"\\]{1,200})"/.exec(Buffer.from(body.subarray(0, 1_024)).toString('utf8'))?.[1] ?? null

/** Passes a body on as it arrives. */
const passedOn = (body: ReadableStream<Uint8Array>, readFirst: (chunk: Uint8Array) => void): Readable => {
  const source = Readable.fromWeb(body as WebReadableStream)
  source.once('data', readFirst)
  // The listener above would start the flow before the client reads.
  source.pause()
  return source
}

const addressOf = (endpoint: Endpoint, path: string, query: string): URL => {
  const url = new URL(`${endpoint.baseUrl}${path}${query}`)
  for (const [name, value] of Object.entries(endpoint.query ?? {}))
    if (!url.searchParams.has(name)) url.searchParams.set(name, value)
  return url
}

const outgoingHeaders = async (
  { provider, presented, incoming }: ForwardOptions,
  { credential }: Endpoint,
  url: URL,
  body: Uint8Array | undefined,
): Promise<Record<string, string>> => {
  const headers: Record<string, string> = {}
  for (const [name, value] of incoming.headers) if (!NOT_FORWARDED.has(name)) headers[name] = value
  // A compressed answer could not be metered.
  headers['accept-encoding'] = 'identity'
  if (credential.kind === 'key')
    headers[presented.keyHeader] = presented.keyHeader === 'authorization' ? `Bearer ${credential.key}` : credential.key
  if (credential.kind === 'token') headers.authorization = `Bearer ${await credential.token()}`
  Object.assign(headers, provider.headers)
  if (credential.kind === 'signature')
    Object.assign(
      headers,
      await credential.sign({ method: incoming.method, url, headers, body: body ?? new Uint8Array() }),
    )
  return headers
}

const returnedHeaders = (from: Dispatcher.ResponseData['headers']): Headers => {
  const headers = new Headers()
  for (const [name, value] of Object.entries(from))
    if (!NOT_RETURNED.has(name) && value !== undefined)
      for (const one of Array.isArray(value) ? value : [value]) headers.append(name, one)
  return headers
}

/** Passes the body on chunk by chunk and counts its tokens. */
const metered = (
  { body, headers }: Dispatcher.ResponseData,
  onEnd: (tokens: TokenCounts) => void,
): ReadableStream<Uint8Array> => {
  const contentType = headers['content-type']
  const encoding = headers['content-encoding']
  const meter = createAnswerMeter(
    Array.isArray(contentType) ? contentType[0] : contentType,
    encoding !== undefined && encoding !== 'identity',
  )
  const chunks = body[Symbol.asyncIterator]()
  let isOver = false
  const finish = (): void => {
    if (isOver) return
    isOver = true
    onEnd(meter.end())
  }
  return new ReadableStream<Uint8Array>(
    {
      pull: async (controller) => {
        try {
          const { done, value } = await chunks.next()
          if (done) {
            finish()
            controller.close()
            return
          }
          controller.enqueue(value)
          meter.write(value)
        } catch (error) {
          finish()
          controller.error(error)
        }
      },
      cancel: () => {
        finish()
        body.destroy()
      },
    },
    { highWaterMark: 0 },
  )
}
