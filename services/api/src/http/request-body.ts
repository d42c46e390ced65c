// Checks request bodies before a handler reads them: JSON only, and within the size limit.

import { LIMITS, SwitchyardError } from '@switchyard/contracts'
import type { MiddlewareHandler } from 'hono'
import type { ApiEnv } from '../access/access-control.ts'

const JSON_TYPE = /^application\/json\s*(;|$)/i

const tooLarge = (): SwitchyardError =>
  new SwitchyardError('payload_too_large', `the body is larger than ${LIMITS.bodyBytes} bytes`)

/** Reads a body of unknown length, up to the limit. */
const readWithinLimit = async (body: ReadableStream<Uint8Array>): Promise<Buffer> => {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of body) {
    size += chunk.byteLength
    if (size > LIMITS.bodyBytes) throw tooLarge()
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

/** Middleware that requires a JSON body. @throws SwitchyardError `unsupported_media_type`, `payload_too_large` */
export const jsonBody: MiddlewareHandler<ApiEnv> = async (context, next) => {
  const { req } = context
  if (['POST', 'PUT', 'PATCH'].includes(req.method)) {
    if (!JSON_TYPE.test(req.header('content-type') ?? ''))
      throw new SwitchyardError('unsupported_media_type', 'Content-Type is not application/json')
    const length = req.header('content-length')
    if (length !== undefined && Number(length) > LIMITS.bodyBytes) throw tooLarge()
    // Node enforces a declared length; a body without one has to be counted here.
    if (length === undefined && req.raw.body) {
      const body = await readWithinLimit(req.raw.body)
      req.raw = new Request(req.url, { method: req.method, headers: req.raw.headers, body, signal: req.raw.signal })
    }
  }
  await next()
}

/** As `jsonBody`, for a route whose body is optional: a request without Content-Type has none. */
export const optionalJsonBody: MiddlewareHandler<ApiEnv> = async (context, next) =>
  context.req.header('content-type') === undefined ? await next() : await jsonBody(context, next)
