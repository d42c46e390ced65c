// Raw HTTP calls to the Docker engine.

import { type IncomingMessage, request } from 'node:http'

export type EngineAddress = { readonly socketPath: string } | { readonly host: string; readonly port: number }

/** Parses an engine's address: `unix:///var/run/docker.sock` or `tcp://host:2375`. */
export const engineAddress = (host: string): EngineAddress => {
  const url = new URL(host)
  return url.protocol === 'unix:'
    ? { socketPath: decodeURIComponent(url.pathname) }
    : { host: url.hostname, port: Number(url.port || 2375) }
}

const MAX_ANSWER_BYTES = 16 * 1_048_576
const CALL_MS = 30_000

export type Call = {
  readonly method: string
  readonly path: string
  /** Sent as JSON. */
  readonly body?: unknown
  readonly signal?: AbortSignal
}

/** Sends a call and returns the response as a stream. @throws the error of the connection */
export const openCall = (address: EngineAddress, call: Call): Promise<IncomingMessage> =>
  new Promise((resolve, reject) => {
    const payload = call.body === undefined ? undefined : Buffer.from(JSON.stringify(call.body))
    const sent = request(
      {
        ...address,
        method: call.method,
        path: call.path,
        headers: {
          host: 'docker',
          ...(payload ? { 'content-type': 'application/json', 'content-length': payload.length } : {}),
        },
        ...(call.signal ? { signal: call.signal } : {}),
      },
      resolve,
    )
    sent.once('error', reject)
    sent.end(payload)
  })

export type Answer = { readonly status: number; readonly json: unknown }

/**
 * Sends a call whose response is one JSON value.
 *
 * @returns status and value; the value is undefined for an empty response.
 * @throws Error if the response takes longer than 30 s or exceeds 16 MiB
 */
export const callJson = async (address: EngineAddress, call: Call): Promise<Answer> => {
  const answer = await openCall(address, { ...call, signal: AbortSignal.timeout(CALL_MS) })
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of answer) {
    size += chunk.length
    if (size > MAX_ANSWER_BYTES) throw new Error(`response of the engine exceeds ${MAX_ANSWER_BYTES} bytes`)
    chunks.push(chunk)
  }
  const text = Buffer.concat(chunks).toString('utf8')
  return { status: answer.statusCode ?? 502, json: text === '' ? undefined : JSON.parse(text) }
}
