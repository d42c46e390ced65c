// Ports: finding a free one, and saying clearly that one is taken.

import { once } from 'node:events'
import { createServer } from 'node:net'
import { SwitchyardError, systemErrorCode } from '@switchyard/contracts'

/**
 * A port of `host` on which nothing listens now. Another program may take it before it is used, so who uses it tries again.
 */
export const findFreePort = async (host = '127.0.0.1'): Promise<number> => probe(0, host)

/**
 * Looks whether the port can be listened on; 0 always can.
 *
 * @throws SwitchyardError `address_in_use`, naming the port.
 */
export const requireFreePort = async (port: number, host: string): Promise<void> => {
  try {
    await probe(port, host)
  } catch (error) {
    throw fromListenError(error, port, host)
  }
}

/** A failed `listen` as ours: `address_in_use` or `configuration_invalid`, else the error as it came. */
const fromListenError = (error: unknown, port: number, host: string): unknown => {
  const code = systemErrorCode(error)
  const context = { port, host }
  if (code === 'EADDRINUSE')
    return new SwitchyardError('address_in_use', `port ${port} of ${host} is already in use`, { context, cause: error })
  if (code === 'EACCES')
    return new SwitchyardError('configuration_invalid', `PORT ${port} may not be used by this user`, {
      context,
      cause: error,
      hint: 'Choose a port above 1023 with PORT.',
    })
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND')
    return new SwitchyardError('configuration_invalid', `HOST ${host} is no address of this machine`, {
      context,
      cause: error,
    })
  return error
}

const probe = async (port: number, host: string): Promise<number> => {
  const server = createServer()
  try {
    server.listen({ port, host, exclusive: true })
    await once(server, 'listening')
    const address = server.address()
    return typeof address === 'object' && address !== null ? address.port : port
  } finally {
    await new Promise<void>((resolve) => server.close(() => resolve()))
  }
}
