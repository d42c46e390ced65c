// The bodies of requests, before anybody reads them: JSON, and not too long.

import { LIMITS, SwitchyardError } from '@switchyard/contracts'
import type { MiddlewareHandler } from 'hono'
import type { ApiEnv } from '../access/access-control.ts'

const JSON_TYPE = /^application\/json\s*(;|$)/i

const tooLarge = (): SwitchyardError =>
  new SwitchyardError('payload_too_large', `the body is larger than ${LIMITS.bodyBytes} bytes`)

/** A body of unknown length, read to the limit and no further. */
const readBounded = async (body: ReadableStream<Uint8Array>): Promise<Buffer> => {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of body) {
    size += chunk.byteLength
    if (size > LIMITS.bodyBytes) throw tooLarge()
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

/** @throws SwitchyardError `unsupported_media_type`, `payload_too_large` */
export const jsonBody: MiddlewareHandler<ApiEnv> = async (context, next) => {
  const { req } = context
  if (['POST', 'PUT', 'PATCH'].includes(req.method)) {
    if (!JSON_TYPE.test(req.header('content-type') ?? ''))
      throw new SwitchyardError('unsupported_media_type', 'the body is not application/json')
    const length = req.header('content-length')
    if (length !== undefined && Number(length) > LIMITS.bodyBytes) throw tooLarge()
    // With a length Node hands over just so many bytes; without one nobody has counted yet.
    if (length === undefined && req.raw.body) {
      const body = await readBounded(req.raw.body)
      req.raw = new Request(req.url, { method: req.method, headers: req.raw.headers, body, signal: req.raw.signal })
    }
  }
  await next()
}

/** The same for a call that may come without a body: one of no type is none. */
export const optionalJsonBody: MiddlewareHandler<ApiEnv> = async (context, next) =>
  context.req.header('content-type') === undefined ? await next() : await jsonBody(context, next)
