// The egress proxy of the containers in which agents work: an HTTP proxy (CONNECT and plain) to the internet, but not to this
// machine or its network. It runs in a container of its own that has only this folder, so it imports no package:
//
//   node main.ts [--port 3128] [--allow host:port,host:port] [--deny address,network]
//
// `--allow` lists targets that are reachable although they are not public. `--deny` lists public addresses that are not:
// this machine's own public addresses would lead to its services, past any firewall around it.
//
// HTTP_PROXY, HTTPS_PROXY and NO_PROXY in its environment are the operator's own proxy, through which it reaches the internet.
// They are no arguments because the URL may contain a password.

import { createServer, type IncomingHttpHeaders, type IncomingMessage, request, type ServerResponse } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { pipeline } from 'node:stream'
import { parseArgs } from 'node:util'
import { createRouter, Refused } from './routes.ts'
import { createBypass, openTunnel, readUpstream, throughUpstream } from './upstream.ts'

const CONNECT_MS = 15_000
const IDLE_MS = 15 * 60_000
/** Further connections are refused: one container must not exhaust the proxy for the others. */
const MAX_CONNECTIONS = 2_000

const { values } = parseArgs({
  options: {
    port: { type: 'string', default: '3128' },
    allow: { type: 'string', default: '' },
    deny: { type: 'string', default: '' },
  },
})

const listed = (text: string): readonly string[] =>
  text
    .split(',')
    .map((entry) => entry.trim().toLowerCase())
    .filter((entry) => entry !== '')

const { HTTP_PROXY, HTTPS_PROXY, NO_PROXY = '' } = process.env
const plainUpstream = readUpstream('HTTP_PROXY', HTTP_PROXY)
const tunnelUpstream = readUpstream('HTTPS_PROXY', HTTPS_PROXY)
const routeTo = createRouter({
  allow: listed(values.allow),
  deny: listed(values.deny),
  isDirect: createBypass(listed(NO_PROXY)),
})

const log = (line: string): void => void process.stdout.write(`${new Date().toISOString()} ${line}\n`)

const statusOf = (error: unknown): 403 | 502 => (error instanceof Refused ? 403 : 502)

const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

const split = (authority: string): { readonly host: string; readonly port: number } | undefined => {
  const found = /^(\[[0-9a-fA-F:.]+\]|[^:\s/]+):(\d{1,5})$/.exec(authority)
  return found?.[1] && found[2] ? { host: found[1], port: Number(found[2]) } : undefined
}

/** Reports the tunnel as open and forwards everything in both directions. */
const join = (client: Socket, server: Socket): void => {
  server.setTimeout(IDLE_MS, () => server.destroy())
  client.write('HTTP/1.1 200 Connection Established\r\n\r\n')
  client.pipe(server).pipe(client)
}

const connectTo = (address: string, port: number): Promise<Socket> =>
  new Promise((resolve, reject) => {
    const socket = connect({ host: address, port })
    socket.setTimeout(CONNECT_MS, () => socket.destroy(new Error('the connection timed out')))
    socket.once('error', reject)
    socket.once('connect', () => resolve(socket))
  })

const tunnel = async (authority: string, client: Socket, head: Buffer): Promise<void> => {
  const target = split(authority)
  if (!target) return void client.end('HTTP/1.1 400 Bad Request\r\n\r\n')
  try {
    const route = await routeTo(target.host, target.port, tunnelUpstream)
    const server =
      'upstream' in route
        ? await openTunnel(route.upstream, authority, CONNECT_MS)
        : await connectTo(route.address, target.port)
    server.on('error', () => server.destroy())
    server.once('close', () => client.destroy())
    client.once('close', () => server.destroy())
    if (client.destroyed) return void server.destroy()
    server.write(head)
    join(client, server)
  } catch (error) {
    if (error instanceof Refused) log(`refused ${authority}: ${textOf(error)}`)
    const reason = error instanceof Refused ? '403 Refused' : '502 Bad Gateway'
    client.end(`HTTP/1.1 ${reason}\r\nConnection: close\r\n\r\n${textOf(error)}\n`)
  }
}

/** Headers that apply to one connection and are not forwarded (RFC 9110, section 7.6.1). */
const HOP_BY_HOP: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'upgrade',
])

const forwardedHeaders = (headers: IncomingHttpHeaders): IncomingHttpHeaders =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => !HOP_BY_HOP.has(name)))

/** @throws Error when the server's status cannot be forwarded */
const relay = (response: IncomingMessage, answer: ServerResponse): void => {
  const { statusCode = 0 } = response
  if (statusCode < 200 || statusCode > 599) throw new Error(`the server answered with the status ${statusCode}`)
  answer.writeHead(statusCode, forwardedHeaders(response.headers))
  // When the server closes the connection early, the client's must be closed too, or it waits for the rest.
  pipeline(response, answer, (error) => void (error && answer.destroy()))
}

const fail = (answer: ServerResponse, error: unknown): void => {
  if (answer.writableEnded) return
  if (answer.headersSent) answer.destroy()
  else answer.writeHead(statusOf(error), { connection: 'close' }).end(`${textOf(error)}\n`)
}

const forward = async (incoming: IncomingMessage, answer: ServerResponse): Promise<void> => {
  try {
    if (incoming.url === '/health') return void answer.end('ok\n')
    const url = URL.parse(incoming.url ?? '')
    if (url?.protocol !== 'http:') throw new Refused('this is a proxy: request http://host/path or CONNECT host:port')
    const port = Number(url.port || 80)
    const route = await routeTo(url.hostname, port, plainUpstream)
    const target =
      'upstream' in route
        ? throughUpstream(route.upstream, url)
        : { host: route.address, port, path: `${url.pathname}${url.search}`, headers: {} }
    const upstream = request({
      ...target,
      method: incoming.method,
      headers: { ...forwardedHeaders(incoming.headers), ...target.headers, host: url.host },
      timeout: IDLE_MS,
    })
    upstream.once('response', (response) => {
      try {
        relay(response, answer)
      } catch (error) {
        fail(answer, error)
        upstream.destroy()
      }
    })
    upstream.once('timeout', () => upstream.destroy(new Error('the server did not answer in time')))
    upstream.on('error', (error) => fail(answer, error))
    upstream.once('close', () => {
      if (!answer.headersSent) fail(answer, new Error('the server closed the connection without an answer'))
    })
    answer.once('close', () => upstream.destroy())
    incoming.pipe(upstream)
  } catch (error) {
    log(`refused ${incoming.method} ${incoming.url?.slice(0, 200)}: ${textOf(error)}`)
    fail(answer, error)
  }
}

const server = createServer((incoming, answer) => void forward(incoming, answer))
server.maxConnections = MAX_CONNECTIONS
server.on('connect', (incoming, client: Socket, head: Buffer) => {
  client.on('error', () => client.destroy())
  void tunnel(incoming.url ?? '', client, head)
})
server.listen(Number(values.port), '0.0.0.0', () => {
  log(`egress proxy listening on port ${(server.address() as AddressInfo).port}`)
})
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => process.exit(0))
