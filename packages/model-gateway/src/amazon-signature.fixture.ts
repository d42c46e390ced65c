// Recomputes the signature of a request that reached a scripted provider, independently of the library that made it.

import { createHash, createHmac } from 'node:crypto'
import type { UpstreamRequest } from './scripted-providers.fixture.ts'

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')
const hmac = (key: string | Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest()
const encode = (text: string): string =>
  encodeURIComponent(text).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)

/** Returns the `Authorization` header that the request should have. */
export const expectedSignature = (
  request: UpstreamRequest,
  { accessKeyId, secretAccessKey }: { readonly accessKeyId: string; readonly secretAccessKey: string },
): string => {
  const given = String(request.headers.authorization)
  const [, scope = '', names = ''] = /Credential=[^/]+\/([^,]+), SignedHeaders=([^,]+),/.exec(given) ?? []
  const [day = '', region = '', service = ''] = scope.split('/')
  const { pathname, search } = new URL(request.url, 'http://provider')
  const headers = names
    .split(';')
    .map((name) => `${name}:${String(request.headers[name]).trim()}\n`)
    .join('')
  // The path is encoded twice for every service but S3.
  const path = pathname.split('/').map(encode).join('/')
  const canonical = [request.method, path, search.slice(1), headers, names, sha256(request.body)].join('\n')
  const toSign = ['AWS4-HMAC-SHA256', request.headers['x-amz-date'], scope, sha256(canonical)].join('\n')
  const key = [day, region, service, 'aws4_request'].reduce<string | Buffer>(hmac, `AWS4${secretAccessKey}`)
  const signature = createHmac('sha256', key).update(toSign).digest('hex')
  return `AWS4-HMAC-SHA256 Credential=${accessKeyId}/${scope}, SignedHeaders=${names}, Signature=${signature}`
}
