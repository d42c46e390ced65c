// The public addresses of the engine's machine. Containers must not reach the machine's own services through them.

import { networkInterfaces } from 'node:os'
import { isPublic } from './egress/addresses.ts'

/**
 * Returns the public addresses of this machine.
 *
 * @param host - the engine's address, as for `connectEngine`
 * @returns none when the engine is reached over the network: its machine's addresses are unknown
 */
export const publicAddresses = (host: string): readonly string[] =>
  new URL(host).protocol === 'unix:'
    ? Object.values(networkInterfaces())
        .flatMap((addresses = []) => addresses.map(({ address }) => address))
        .filter(isPublic)
        .toSorted()
    : []
