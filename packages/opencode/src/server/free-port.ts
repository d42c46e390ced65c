// Finds a free port. `opencode serve --port 0` tries 4096 first, which a user's own server may need.

import { createServer } from 'node:net'
import { systemErrorCode } from '@switchyard/contracts'

/** Returns the port if it is free; port 0 asks the system for one. */
const tryPort = (port: number): Promise<number | undefined> =>
  new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', (error) => {
      if (['EADDRINUSE', 'EACCES'].includes(systemErrorCode(error) ?? '')) resolve(undefined)
      else reject(error)
    })
    server.listen(port, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(address === null || typeof address === 'string' ? undefined : address.port))
    })
  })

export type FreePortOptions = {
  /** Returned if it is free. */
  readonly preferred?: number | undefined
  /** Never returned: they belong to servers that are not running at the moment. */
  readonly reserved?: ReadonlySet<number>
}

const TRIES = 50

/**
 * Returns a free port on loopback. Another process may take it before it is used; the next start then tries another one.
 *
 * @throws Error when 50 tries find none
 */
export const freePort = async ({ preferred, reserved = new Set() }: FreePortOptions = {}): Promise<number> => {
  if (preferred !== undefined && !reserved.has(preferred) && (await tryPort(preferred)) !== undefined) return preferred
  for (let tries = 0; tries < TRIES; tries += 1) {
    const port = await tryPort(0)
    if (port !== undefined && !reserved.has(port)) return port
  }
  throw new Error('no free port')
}
