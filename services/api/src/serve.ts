// Listens, and stops listening within a bound.

import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { getRequestListener } from '@hono/node-server'
import { SwitchyardError } from '@switchyard/contracts'
import type { Hono } from 'hono'
import type { ApiEnv } from './caller.ts'

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
    const code = error instanceof Error && 'code' in error ? error.code : undefined
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
 * Serves the app. @param address - port 0 takes a free one.
 * @throws SwitchyardError `address_in_use`, `configuration_invalid`
 */
export const serve = async (app: Pick<Hono<ApiEnv>, 'fetch'>, address: Address): Promise<Serving> => {
  const listener = getRequestListener((request, env) => app.fetch(request, env))
  const server = createServer({ keepAliveTimeout: 65_000, headersTimeout: 20_000, requestTimeout: 60_000 }, listener)
  const port = await listen(server, address)
  return {
    url: `http://${hostInUrl(address.host)}:${port}`,
    port,
    async close() {
      const closed = once(server, 'close')
      server.close()
      server.closeIdleConnections()
      const timer = setTimeout(() => server.closeAllConnections(), STOP_MS)
      await closed
      clearTimeout(timer)
    },
  }
}
