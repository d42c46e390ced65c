// Starts an HTTPS server with `git http-backend` for tests. It requires a user and a token, and
// records every request.

import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readFile } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:https'
import path from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

export type GitHttps = {
  readonly port: number
  /** File of the certificate authority to trust (GIT_SSL_CAINFO). */
  readonly caFile: string
  /** Returns the URL of a repository below the root: `https://host:port/name`. */
  readonly url: (name: string) => string
  /** The path and Authorization header of every request. */
  readonly requests: { readonly path: string; readonly authorization: string | undefined }[]
  /** Redirects every request to another address from now on. */
  readonly redirectTo: (base: string) => void
  /** Rejects every push with 403 from now on. */
  readonly refuseWrites: () => void
  readonly close: () => Promise<void>
}

export type GitHttpsOptions = {
  /** Directory for the server's certificate; created if missing. */
  readonly directory: string
  /** Directory of the repositories. */
  readonly root: string
  readonly user: string
  readonly token: string
  /** IP address to listen on; default 127.0.0.1. Containers need one that they can reach. */
  readonly address?: string
}

const serveGit = async (
  { root, user }: GitHttpsOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> => {
  const { pathname, search } = new URL(request.url ?? '/', 'https://localhost')
  const child = spawn('git', ['http-backend'], {
    env: {
      PATH: process.env.PATH,
      GIT_PROJECT_ROOT: root,
      GIT_HTTP_EXPORT_ALL: '1',
      GIT_CONFIG_COUNT: '2',
      GIT_CONFIG_KEY_0: 'http.receivepack',
      GIT_CONFIG_VALUE_0: 'true',
      GIT_CONFIG_KEY_1: 'safe.directory',
      GIT_CONFIG_VALUE_1: '*',
      REMOTE_USER: user,
      REQUEST_METHOD: request.method ?? 'GET',
      PATH_INFO: pathname,
      QUERY_STRING: search.slice(1),
      CONTENT_TYPE: request.headers['content-type'] ?? '',
      HTTP_CONTENT_ENCODING: request.headers['content-encoding'] ?? '',
      GIT_PROTOCOL: String(request.headers['git-protocol'] ?? ''),
    },
    stdio: ['pipe', 'pipe', 'ignore'],
  })
  child.stdin.on('error', () => {})
  request.pipe(child.stdin)
  const chunks: Buffer[] = []
  for await (const chunk of child.stdout) chunks.push(chunk as Buffer)
  const answer = Buffer.concat(chunks)
  const end = answer.indexOf('\r\n\r\n')
  const headers = answer.subarray(0, end).toString('latin1').split('\r\n')
  for (const header of headers) {
    const [name = '', value = ''] = header.split(/:\s*/, 2)
    if (name === 'Status') response.statusCode = Number.parseInt(value, 10)
    else if (name !== '') response.setHeader(name, value)
  }
  response.end(answer.subarray(end + 4))
}

/** Starts the server on a free port with a new self-signed certificate. */
export const startGitHttps = async (options: GitHttpsOptions): Promise<GitHttps> => {
  const at = (name: string) => path.join(options.directory, name)
  await mkdir(options.directory, { recursive: true })
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2']
  const { address: ip = '127.0.0.1' } = options
  const names = ['-subj', '/CN=localhost', '-addext', `subjectAltName=DNS:localhost,IP:${ip}`]
  await run('openssl', ['req', '-x509', ...curve, ...names, '-keyout', at('key.pem'), '-out', at('cert.pem')])
  const requests: { path: string; authorization: string | undefined }[] = []
  const expected = `Basic ${Buffer.from(`${options.user}:${options.token}`).toString('base64')}`
  let target: string | null = null
  let canWrite = true

  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    requests.push({ path: request.url ?? '', authorization: request.headers.authorization })
    if (target !== null) response.writeHead(302, { location: `${target}${request.url}` }).end()
    else if (request.headers.authorization !== expected)
      response.writeHead(401, { 'www-authenticate': 'Basic realm="git"' }).end()
    else if (!canWrite && request.url?.includes('git-receive-pack')) response.writeHead(403).end('no write access\n')
    else await serveGit(options, request, response)
  }
  const server = createServer(
    { key: await readFile(at('key.pem')), cert: await readFile(at('cert.pem')) },
    (request, response) => void answer(request, response).catch((error) => response.destroy(error)),
  ).listen(0, ip)
  await once(server, 'listening')
  const address = server.address()
  const port = address !== null && typeof address !== 'string' ? address.port : 0
  return {
    port,
    caFile: at('cert.pem'),
    url: (name) => `https://${options.address ?? 'localhost'}:${port}/${name}`,
    requests,
    redirectTo: (base) => {
      target = base
    },
    refuseWrites: () => {
      canWrite = false
    },
    close: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
