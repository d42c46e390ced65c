// A proxy in front of a server that plays the ways in which a server can be unreachable.

import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'

/**
 * `refused`: nothing listens. `reset`: connections are accepted and closed, as Docker's port proxy does. `silent`: they
 * are accepted and never answered, as by a server that is booting. `502` and `401`: the answer of a reverse proxy, or of
 * what stands in front of a container that is not up.
 */
export const OUTAGES = ['refused', 'reset', 'silent', '502', '401'] as const
type Outage = (typeof OUTAGES)[number]

export type OutageProxy = {
  readonly url: string
  /** Breaks all open connections. */
  readonly cut: () => void
  /** Breaks all open connections; new ones get no server until `end`. */
  readonly begin: (outage: Outage) => Promise<void>
  /** Connects to the server again. What was never answered stays so. */
  readonly end: () => Promise<void>
  readonly close: () => Promise<void>
}

const answer = (status: string): string =>
  `HTTP/1.1 ${status} Unavailable\r\ncontent-type: text/html\r\ncontent-length: 4\r\nconnection: close\r\n\r\ndown`

/** @param target - the server's port on loopback */
export const createOutageProxy = async (target: () => number): Promise<OutageProxy> => {
  const sockets = new Set<Socket>()
  let outage: Outage | undefined

  const forward = (client: Socket): void => {
    const upstream = connect(target(), '127.0.0.1')
    const end = (): void => {
      client.destroy()
      upstream.destroy()
    }
    for (const socket of [client, upstream]) socket.on('error', end).on('close', end)
    client.pipe(upstream).pipe(client)
  }

  const server = createServer((client) => {
    sockets.add(client)
    client.on('close', () => sockets.delete(client)).on('error', () => client.destroy())
    if (outage === undefined) forward(client)
    else if (outage === '502' || outage === '401') {
      const text = answer(outage)
      client.once('data', () => client.end(text))
    } else if (outage !== 'silent') client.resetAndDestroy()
  })
  const listen = async (port: number): Promise<void> => {
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
  }
  const cut = (): void => {
    for (const socket of sockets) socket.destroy()
  }
  const close = async (): Promise<void> => {
    if (!server.listening) return
    const closed = once(server, 'close')
    server.close()
    cut()
    await closed
  }

  await listen(0)
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the proxy has no port')
  const { port } = address
  return {
    url: `http://127.0.0.1:${port}`,
    cut,
    begin: async (next) => {
      outage = next
      cut()
      if (next === 'refused') await close()
    },
    end: async () => {
      outage = undefined
      if (!server.listening) await listen(port)
    },
    close,
  }
}
