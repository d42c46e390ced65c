// A real https server with git's own http-backend behind it, for tests: it wants a user and a token, and notes what was
// sent to it.

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
  /** The file of the authority that signed its certificate (GIT_SSL_CAINFO). */
  readonly caFile: string
  /** `https://host:port/name` of the repository `name` in its root. */
  readonly url: (name: string) => string
  /** Every request: its path and, where it had one, its Authorization header. */
  readonly requests: { readonly path: string; readonly authorization: string | undefined }[]
  /** Sends every request on to that address from now on. */
  readonly redirectTo: (base: string) => void
  /** Takes no push from now on. */
  readonly refuseWrites: () => void
  readonly close: () => Promise<void>
}

export type GitHttpsOptions = {
  /** For its certificate; made here. */
  readonly directory: string
  /** Where the repositories are. */
  readonly root: string
  readonly user: string
  readonly token: string
  /** An IP address to listen on, for clients outside this machine. Default: 127.0.0.1. */
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
