// A port nobody listens on. Port 0 is no use here: `opencode serve --port 0` takes 4096 first, the port of a person's own.

import { createServer } from 'node:net'
import { systemErrorCode } from '@switchyard/contracts'

/** @returns the port that was free a moment ago; undefined where this one is taken. */
const probe = (port: number): Promise<number | undefined> =>
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

export type PortWish = {
  /** Taken where nobody listens on it. */
  readonly preferred?: number | undefined
  /** Kept for others that do not run now. */
  readonly reserved?: ReadonlySet<number>
}

const TRIES = 50

/**
 * A free port on loopback: probed, never taken from whoever listens on it. It may be taken before it is used; the next start then
 * tries another.
 */
export const freePort = async ({ preferred, reserved = new Set() }: PortWish = {}): Promise<number> => {
  if (preferred !== undefined && !reserved.has(preferred) && (await probe(preferred)) !== undefined) return preferred
  for (let tries = 0; tries < TRIES; tries += 1) {
    const port = await probe(0)
    if (port !== undefined && !reserved.has(port)) return port
  }
  throw new Error('no free port')
}
