// The runners' one way out: an HTTP proxy (CONNECT and plain) that leads to the internet and to nothing near it.
// It runs in a container of its own, from this folder alone, hence without any package:
//
//   node main.ts [--port 3128] [--allow host:port,host:port] [--deny address,network]
//
// `--allow` names what is reachable although it is not public, `--deny` what is not although it is: this machine’s own public addresses
// lead to what listens on it, past any firewall around it.

import { lookup } from 'node:dns/promises'
import { createServer, type IncomingHttpHeaders, type IncomingMessage, request, type ServerResponse } from 'node:http'
import { type AddressInfo, connect, isIP, type Socket } from 'node:net'
import { pipeline } from 'node:stream'
import { parseArgs } from 'node:util'
import { amongst, isPublic } from './addresses.ts'

const CONNECT_MS = 15_000
const IDLE_MS = 15 * 60_000
/** More connections than these are refused: one runner must not take the way out from the others for ever. */
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

const allowed: ReadonlySet<string> = new Set(listed(values.allow))
const isDenied = amongst(listed(values.deny))

class Refused extends Error {}

/** The address to connect to. It is looked up once and connected to by number: a name cannot change its mind. */
const resolve = async (host: string, port: number): Promise<string> => {
  const name = host.replace(/^\[|\]$/g, '').toLowerCase()
  const found = isIP(name) ? [{ address: name }] : await lookup(name, { all: true, verbatim: true })
  const isAllowed = allowed.has(`${name}:${port}`)
  const address = found.find((each) => isAllowed || (isPublic(each.address) && !isDenied(each.address)))?.address
  if (address !== undefined) return address
  const why = found.some((each) => isDenied(each.address))
    ? 'is this machine’s own, or in RUNNER_EGRESS_DENY,'
    : 'is not on the internet'
  throw new Refused(`${name}:${port} ${why} and not in RUNNER_EGRESS_ALLOW`)
}

const log = (line: string): void => void process.stdout.write(`${new Date().toISOString()} ${line}\n`)

const statusOf = (error: unknown): 403 | 502 => (error instanceof Refused ? 403 : 502)

const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

const split = (authority: string): { readonly host: string; readonly port: number } | undefined => {
  const found = /^(\[[0-9a-fA-F:.]+\]|[^:\s/]+):(\d{1,5})$/.exec(authority)
  return found?.[1] && found[2] ? { host: found[1], port: Number(found[2]) } : undefined
}

const tunnel = async (authority: string, client: Socket, head: Buffer): Promise<void> => {
  const target = split(authority)
  if (!target) return void client.end('HTTP/1.1 400 Bad Request\r\n\r\n')
  try {
    const upstream = connect({ host: await resolve(target.host, target.port), port: target.port })
    upstream.setTimeout(CONNECT_MS, () => upstream.destroy(new Error('no connection in time')))
    upstream.once('connect', () => {
      upstream.setTimeout(IDLE_MS)
      client.write('HTTP/1.1 200 Connection Established\r\n\r\n')
      upstream.write(head)
      client.pipe(upstream).pipe(client)
    })
    upstream.once('error', (error) => {
      if (!client.destroyed) client.end(`HTTP/1.1 502 Bad Gateway\r\n\r\n${error.message}\n`)
    })
    client.once('close', () => upstream.destroy())
    upstream.once('close', () => client.destroy())
  } catch (error) {
    log(`refused ${authority}: ${textOf(error)}`)
    client.end(`HTTP/1.1 ${statusOf(error)} Refused\r\nConnection: close\r\n\r\n${textOf(error)}\n`)
  }
}

/** They are about one connection and not about what goes over it (RFC 9110, 7.6.1). */
const OF_CONNECTION: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'upgrade',
])

const passedOn = (headers: IncomingHttpHeaders): IncomingHttpHeaders =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => !OF_CONNECTION.has(name)))

/** @throws where the answer is none that could be given on */
const relay = (response: IncomingMessage, answer: ServerResponse): void => {
  const { statusCode = 0 } = response
  if (statusCode < 200 || statusCode > 599) throw new Error(`the server answered with the status ${statusCode}`)
  answer.writeHead(statusCode, passedOn(response.headers))
  // One that breaks off has to end here as well, or whoever reads it waits for the rest.
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
    if (url?.protocol !== 'http:') throw new Refused('this is a proxy: ask for http://host/path, or CONNECT host:port')
    const port = Number(url.port || 80)
    const upstream = request({
      host: await resolve(url.hostname, port),
      port,
      method: incoming.method,
      path: `${url.pathname}${url.search}`,
      headers: { ...passedOn(incoming.headers), host: url.host },
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
    upstream.once('timeout', () => upstream.destroy(new Error('no answer in time')))
    upstream.on('error', (error) => fail(answer, error))
    upstream.once('close', () => {
      if (!answer.headersSent) fail(answer, new Error('the server hung up without an answer'))
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
  log(`the way out is open on port ${(server.address() as AddressInfo).port}`)
})
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => process.exit(0))
