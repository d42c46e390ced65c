// Finds a free port, and reports one that is in use.

import { once } from 'node:events'
import { createServer } from 'node:net'
import { SwitchyardError, systemErrorCode } from '@switchyard/contracts'

/** Returns a port of `host` that is free now. Another program may take it first, so the caller must be ready to retry. */
export const findFreePort = async (host = '127.0.0.1'): Promise<number> => probe(0, host)

/**
 * Checks that the process can listen on the port; 0 always passes.
 *
 * @throws SwitchyardError `address_in_use`, naming the port; `configuration_invalid` if the port or host cannot be used.
 */
export const requireFreePort = async (port: number, host: string): Promise<void> => {
  try {
    await probe(port, host)
  } catch (error) {
    throw fromListenError(error, port, host)
  }
}

/** Converts the error of a failed `listen`; returns an unknown one unchanged. */
const fromListenError = (error: unknown, port: number, host: string): unknown => {
  const code = systemErrorCode(error)
  if (code === 'EADDRINUSE')
    return new SwitchyardError('address_in_use', `port ${port} of ${host} is already in use`, {
      context: { port, host },
      cause: error,
    })
  if (code === 'EACCES')
    return new SwitchyardError('configuration_invalid', `PORT: this user may not listen on port ${port}`, {
      cause: error,
      hint: 'Set PORT to a port above 1023.',
    })
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND')
    return new SwitchyardError('configuration_invalid', `HOST: ${host} is not an address of this machine`, {
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
