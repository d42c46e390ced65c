// A TCP line between two parties that can be cut, silenced or taken down.

import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'

export type Line = {
  readonly port: number
  /** Breaks every connection there is. @returns how many of them carried an event stream. */
  readonly cut: () => number
  /** Keeps connections open and delivers nothing to the client: neither what is sent now nor what is sent later. */
  readonly mute: (on: boolean) => void
  /** Of the event streams there are now, delivers nothing but heartbeats: alive to look at, and silent. */
  readonly onlyHeartbeats: (on: boolean) => void
  /** Breaks what is there and refuses what comes, until it is taken up again. */
  readonly refuse: (on: boolean) => void
  /** How many connections carry an event stream now. */
  readonly streams: () => number
  readonly close: () => Promise<void>
}

const STREAM = /GET \/(global\/event|tasks\/[^ ]+\/events) HTTP/

type Connection = { readonly client: Socket; readonly upstream: Socket; isStream: boolean; isHollow: boolean }

/** A proxy to a loopback port. `target` is called for each connection, since a restarted server may have another port. */
export const openLine = async (target: () => number): Promise<Line> => {
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
    const connection: Connection = { client, upstream, isStream: false, isHollow: false }
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
      if (connection.isHollow && !chunk.includes('server.heartbeat')) return
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
  if (address === null || typeof address === 'string') throw new Error('the line has no port')
  return {
    port: address.port,
    cut,
    mute: (on) => {
      isMuted = on
    },
    onlyHeartbeats: (on) => {
      for (const connection of connections) connection.isHollow = on && connection.isStream
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
