// A git server that accepts connections and never answers, so that a clone from it hangs.

import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'

export type HangingRepository = {
  /** Returns the URL of a repository. */
  readonly url: (name: string) => string
  /** Returns how many connections wait for an answer. */
  readonly waiting: () => number
  readonly close: () => Promise<void>
}

/** Starts the server on a free port. */
export const startHangingRepository = async (): Promise<HangingRepository> => {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => socket.destroy()).on('close', () => sockets.delete(socket))
    socket.resume()
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const port = address !== null && typeof address === 'object' ? address.port : 0
  return {
    url: (name) => `http://127.0.0.1:${port}/slow/${name}.git`,
    waiting: () => sockets.size,
    close: async () => {
      for (const socket of sockets) socket.destroy()
      const closed = once(server, 'close')
      server.close()
      await closed
    },
  }
}
