// Finds a free TCP port.

import { once } from 'node:events'
import { createServer } from 'node:net'

/** Returns a port of loopback that no process listens on. */
export const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const closed = once(server, 'close')
  server.close()
  await closed
  if (address === null || typeof address === 'string') throw new Error('loopback has no free port')
  return address.port
}
