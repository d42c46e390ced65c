// Listens, and stops listening within a bound.

import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { Socket } from 'node:net'
import { getRequestListener } from '@hono/node-server'
import { SwitchyardError, systemErrorCode } from '@switchyard/contracts'
import type { Hono } from 'hono'
import type { ApiEnv } from '../access/access-control.ts'

/** How long answers that are under way may take at a stop, ms. */
const STOP_MS = 5_000

export type Address = { readonly host: string; readonly port: number }

export type Serving = {
  /** Where it listens, as a client on this host writes it. */
  readonly url: string
  readonly port: number
  /** Takes no more connections, lets answers finish for 5 s, then cuts what is left. */
  close(): Promise<void>
}

const listen = async (server: Server, { host, port }: Address): Promise<number> => {
  server.listen({ host, port })
  try {
    await once(server, 'listening')
  } catch (error) {
    const code = systemErrorCode(error)
    if (code === 'EADDRINUSE')
      throw new SwitchyardError('address_in_use', `port ${port} on ${host} is in use`, { cause: error })
    if (code === 'EACCES' || code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND')
      throw new SwitchyardError('configuration_invalid', `cannot listen on ${host}, port ${port}: ${code}`, {
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
 * Knows which connections have a request under way. Node's own `closeIdleConnections` leaves those open that never
 * sent one, and a kept-alive client may always send another.
 *
 * @returns closes what is unused, now and as it becomes so.
 */
const trackUse = (server: Server): (() => void) => {
  const used = new Map<Socket, number>()
  let isClosing = false
  server.on('connection', (socket) => {
    used.set(socket, 0)
    socket.once('close', () => used.delete(socket))
  })
  server.on('request', ({ socket }, response) => {
    used.set(socket, (used.get(socket) ?? 0) + 1)
    response.once('close', () => {
      const left = (used.get(socket) ?? 1) - 1
      if (used.has(socket)) used.set(socket, left)
      if (isClosing && left === 0) socket.destroySoon()
    })
  })
  return () => {
    isClosing = true
    for (const [socket, requests] of used) if (requests === 0) socket.destroy()
  }
}

/**
 * Serves the app. @param address - port 0 takes a free one.
 * @throws SwitchyardError `address_in_use`, `configuration_invalid`
 */
export const serve = async (app: Pick<Hono<ApiEnv>, 'fetch'>, address: Address): Promise<Serving> => {
  const listener = getRequestListener((request, env) => app.fetch(request, env))
  const server = createServer({ keepAliveTimeout: 65_000, headersTimeout: 20_000, requestTimeout: 60_000 }, listener)
  const closeUnused = trackUse(server)
  const port = await listen(server, address)
  return {
    url: `http://${hostInUrl(address.host)}:${port}`,
    port,
    async close() {
      const closed = once(server, 'close')
      server.close()
      closeUnused()
      const timer = setTimeout(() => server.closeAllConnections(), STOP_MS)
      await closed
      clearTimeout(timer)
    },
  }
}
