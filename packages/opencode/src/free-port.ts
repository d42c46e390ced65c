// A port nobody listens on. Port 0 is no use here: `opencode serve --port 0` takes 4096 first, the port of a person's own.

import { createServer } from 'node:net'

/** A free port on loopback. It may be taken before it is used; the next start then tries another. */
export const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => {
        if (address === null || typeof address === 'string') reject(new Error('no port'))
        else resolve(address.port)
      })
    })
  })
