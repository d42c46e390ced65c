// Calls to the engine, raw: what is asked and answered goes through as it is unless somebody looks at it.

import { type IncomingMessage, request } from 'node:http'

export type EngineAddress = { readonly socketPath: string } | { readonly host: string; readonly port: number }

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
  readonly body?: unknown
  readonly signal?: AbortSignal
}

/** Sends a call and gives the answer as a stream. @throws the connection's error */
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

/** A call whose answer is one JSON value, within 30 s and 16 MiB. */
export const callJson = async (address: EngineAddress, call: Call): Promise<Answer> => {
  const answer = await openCall(address, { ...call, signal: AbortSignal.timeout(CALL_MS) })
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of answer) {
    size += chunk.length
    if (size > MAX_ANSWER_BYTES) throw new Error('the engine’s answer is too long')
    chunks.push(chunk)
  }
  const text = Buffer.concat(chunks).toString('utf8')
  return { status: answer.statusCode ?? 502, json: text === '' ? undefined : JSON.parse(text) }
}
