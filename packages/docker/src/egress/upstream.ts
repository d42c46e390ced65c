// The operator's own proxy, to which the egress proxy passes requests on. Imports nothing but Node, see main.ts.

import type { IncomingMessage } from 'node:http'
import { request } from 'node:http'
import type { Socket } from 'node:net'

export type Upstream = {
  readonly host: string
  readonly port: number
  /** The value of `Proxy-Authorization`; undefined without a user in the URL. */
  readonly authorization: string | undefined
}

/** Returns the host as it appears in a URL without brackets, in lower case. */
const bare = (host: string): string => host.replace(/^\[|\]$/g, '').toLowerCase()

/**
 * Reads the address of a proxy, such as `http://user:password@proxy:3128`.
 *
 * @returns undefined for an empty text
 * @throws Error when it is not an http URL. The message does not contain the URL, which may contain a password.
 */
export const readUpstream = (name: string, text: string | undefined): Upstream | undefined => {
  if (text === undefined || text.trim() === '') return undefined
  const url = URL.parse(text.includes('://') ? text : `http://${text}`)
  if (url?.protocol !== 'http:' || url.hostname === '') throw new Error(`${name} is not the URL of an http proxy`)
  const user = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`
  const authorization = user === ':' ? undefined : `Basic ${Buffer.from(user).toString('base64')}`
  return { host: bare(url.hostname), port: Number(url.port || 80), authorization }
}

/**
 * Returns a function that checks whether a host is reached without the operator's proxy.
 *
 * @param entries - the entries of NO_PROXY: host names, which include their subdomains, addresses, or `*`
 */
export const createBypass = (entries: readonly string[]): ((host: string) => boolean) => {
  const names = entries.map((entry) => bare(entry.replace(/^\*?\./, '')))
  return (host) => names.some((name) => name === '*' || host === name || host.endsWith(`.${name}`))
}

const proxyHeaders = ({ authorization }: Upstream): Readonly<Record<string, string>> =>
  authorization === undefined ? {} : { 'proxy-authorization': authorization }

/**
 * Opens a tunnel to `authority` through the operator's proxy.
 *
 * @param timeoutMs - how long the proxy may take to answer
 * @throws Error when it refuses the tunnel or does not answer
 */
export const openTunnel = (upstream: Upstream, authority: string, timeoutMs: number): Promise<Socket> =>
  new Promise((resolve, reject) => {
    const { host, port } = upstream
    const headers = { host: authority, ...proxyHeaders(upstream) }
    const outgoing = request({ host, port, method: 'CONNECT', path: authority, headers, agent: false })
    outgoing.setTimeout(timeoutMs, () => outgoing.destroy(new Error('the proxy in front did not answer in time')))
    outgoing.once('error', reject)
    outgoing.once('response', (answer: IncomingMessage) => {
      answer.resume()
      reject(new Error(`the proxy in front answered with the status ${answer.statusCode}`))
    })
    outgoing.once('connect', (answer, socket: Socket, head: Buffer) => {
      // What the server sent already is read again with the rest.
      if (head.length > 0) socket.unshift(head)
      if (answer.statusCode === 200) return resolve(socket)
      socket.destroy()
      reject(new Error(`the proxy in front answered with the status ${answer.statusCode}`))
    })
    outgoing.end()
  })

/** Returns what a plain request to `url` needs to go through the operator's proxy. */
export const throughUpstream = (
  upstream: Upstream,
  url: URL,
): {
  readonly host: string
  readonly port: number
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
} => ({ host: upstream.host, port: upstream.port, path: url.href, headers: proxyHeaders(upstream) })
