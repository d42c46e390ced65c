// A TCP proxy that can cut connections, withhold data or refuse connections.

import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'

export type TcpProxy = {
  readonly port: number
  /** Closes every connection. Returns how many of them carried an event stream. */
  readonly cut: () => number
  /** Keeps connections open, but drops everything that is sent to the client. */
  readonly mute: (on: boolean) => void
  /** Delivers only heartbeats on the event streams that are open now. */
  readonly onlyHeartbeats: (on: boolean) => void
  /** Closes every connection and refuses new ones until it is switched off. */
  readonly refuse: (on: boolean) => void
  /** Returns how many connections carry an event stream. */
  readonly streams: () => number
  readonly close: () => Promise<void>
}

const STREAM = /GET \/(global\/event|tasks\/[^ ]+\/events) HTTP/

type Connection = { readonly client: Socket; readonly upstream: Socket; isStream: boolean; hasHeartbeatsOnly: boolean }

/**
 * Starts a proxy to a loopback port.
 *
 * @param target - returns the port; called for each connection, because a restarted server may have
 *   another one
 */
export const startTcpProxy = async (target: () => number): Promise<TcpProxy> => {
  const connections = new Set<Connection>()
  let isMuted = false
  let isRefusing = false
  const end = (connection: Connection): void => {
    connection.client.destroy()
    connection.upstream.destroy()
    connections.delete(connection)
  }
  const server = createServer((client) => {
    if (isRefusing) {
      client.resetAndDestroy()
      return
    }
    const upstream = connect(target(), '127.0.0.1')
    const connection: Connection = { client, upstream, isStream: false, hasHeartbeatsOnly: false }
    connections.add(connection)
    for (const socket of [client, upstream]) {
      socket.setNoDelay(true)
      socket.on('error', () => end(connection)).on('close', () => end(connection))
    }
    client.on('data', (chunk: Buffer) => {
      if (STREAM.test(chunk.toString('latin1', 0, 200))) connection.isStream = true
    })
    client.pipe(upstream)
    upstream.on('data', (chunk: Buffer) => {
      if (isMuted || client.destroyed) return
      if (connection.hasHeartbeatsOnly && !chunk.includes('server.heartbeat')) return
      if (client.write(chunk)) return
      upstream.pause()
      client.once('drain', () => upstream.resume())
    })
    upstream.on('end', () => client.end())
  })
  const streams = (): number => [...connections].filter((connection) => connection.isStream).length
  const cut = (): number => {
    const cutStreams = streams()
    for (const connection of [...connections]) end(connection)
    return cutStreams
  }
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the proxy has no port')
  return {
    port: address.port,
    cut,
    mute: (on) => {
      isMuted = on
    },
    onlyHeartbeats: (on) => {
      for (const connection of connections) connection.hasHeartbeatsOnly = on && connection.isStream
    },
    refuse: (on) => {
      isRefusing = on
      if (on) cut()
    },
    streams,
    close: async () => {
      cut()
      const closed = once(server, 'close')
      server.close()
      await closed
    },
  }
}
