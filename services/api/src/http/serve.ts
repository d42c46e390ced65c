// Runs the HTTP server, and shuts it down within a time limit.

import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { Socket } from 'node:net'
import { getRequestListener } from '@hono/node-server'
import { SwitchyardError, systemErrorCode } from '@switchyard/contracts'
import type { Hono } from 'hono'
import type { ApiEnv } from '../access/access-control.ts'

/** Time for responses in progress to finish at shutdown, ms. */
const DRAIN_MS = 5_000

export type Address = { readonly host: string; readonly port: number }

export type Serving = {
  /** The URL for clients on this host. */
  readonly url: string
  readonly port: number
  /** Stops accepting connections, waits up to 5 s for responses to finish, then closes the remaining connections. */
  close(): Promise<void>
}

const listen = async (server: Server, { host, port }: Address): Promise<number> => {
  server.listen({ host, port })
  try {
    await once(server, 'listening')
  } catch (error) {
    const code = systemErrorCode(error)
    if (code === 'EADDRINUSE')
      throw new SwitchyardError('address_in_use', `port ${port} on ${host} is already in use`, { cause: error })
    if (code === 'EACCES' || code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND')
      throw new SwitchyardError('configuration_invalid', `cannot listen on ${host} port ${port}: ${code}`, {
        hint: 'Correct HOST and PORT.',
        cause: error,
      })
    throw error
  }
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : port
}

const hostInUrl = (host: string): string => {
  if (host === '0.0.0.0' || host === '::') return '127.0.0.1'
  return host.includes(':') ? `[${host}]` : host
}

/**
 * Tracks which connections are serving a request. Node's `closeIdleConnections` misses connections that never sent a
 * request, and a keep-alive client can send another one at any time.
 *
 * @returns a function that closes idle connections now, and the others as soon as they become idle
 */
const trackIdleConnections = (server: Server): (() => void) => {
  const requestsBySocket = new Map<Socket, number>()
  let isClosing = false
  server.on('connection', (socket) => {
    requestsBySocket.set(socket, 0)
    socket.once('close', () => requestsBySocket.delete(socket))
  })
  server.on('request', ({ socket }, response) => {
    requestsBySocket.set(socket, (requestsBySocket.get(socket) ?? 0) + 1)
    response.once('close', () => {
      const left = (requestsBySocket.get(socket) ?? 1) - 1
      if (requestsBySocket.has(socket)) requestsBySocket.set(socket, left)
      if (isClosing && left === 0) socket.destroySoon()
    })
  })
  return () => {
    isClosing = true
    for (const [socket, requests] of requestsBySocket) if (requests === 0) socket.destroy()
  }
}

/**
 * Starts to serve the app.
 *
 * @param address - port 0 selects a free port
 * @throws SwitchyardError `address_in_use`, `configuration_invalid`
 */
export const serve = async (app: Pick<Hono<ApiEnv>, 'fetch'>, address: Address): Promise<Serving> => {
  const listener = getRequestListener((request, env) => app.fetch(request, env))
  const server = createServer({ keepAliveTimeout: 65_000, headersTimeout: 20_000, requestTimeout: 60_000 }, listener)
  const closeIdle = trackIdleConnections(server)
  const port = await listen(server, address)
  return {
    url: `http://${hostInUrl(address.host)}:${port}`,
    port,
    async close() {
      const closed = once(server, 'close')
      server.close()
      closeIdle()
      const timer = setTimeout(() => server.closeAllConnections(), DRAIN_MS)
      await closed
      clearTimeout(timer)
    },
  }
}
