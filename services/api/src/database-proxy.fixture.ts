// A TCP proxy in front of the database that a test can disconnect, or pause so that it does not respond.

import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'

type State = 'open' | 'disconnected' | 'paused'

export type DatabaseProxy = {
  readonly url: string
  set(state: State): void
  close(): Promise<void>
}

export const openDatabaseProxy = async (databaseUrl: string): Promise<DatabaseProxy> => {
  const target = new URL(databaseUrl)
  const pairs = new Set<readonly [Socket, Socket]>()
  let state: State = 'open'

  const server = createServer((client) => {
    if (state === 'disconnected') return client.destroy()
    const upstream = connect(Number(target.port), target.hostname)
    const pair = [client, upstream] as const
    pairs.add(pair)
    for (const [from, to] of [pair, [upstream, client] as const]) {
      from.on('data', (bytes) => {
        if (state !== 'paused') to.write(bytes)
      })
      from.on('error', () => {})
      from.on('close', () => {
        to.destroy()
        pairs.delete(pair)
      })
    }
    return client
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const url = new URL(databaseUrl)
  if (typeof address === 'object' && address !== null) url.port = String(address.port)

  const destroyAll = () => {
    for (const pair of pairs) for (const socket of pair) socket.destroy()
  }
  return {
    url: url.href,
    set(next) {
      // Data was dropped during the pause, so paused connections cannot continue.
      if (next === 'disconnected' || state === 'paused') destroyAll()
      state = next
    },
    async close() {
      destroyAll()
      server.close()
      await once(server, 'close')
    },
  }
}
