// The public addresses of the machine that the engine is on: what listens there is near, whatever its address.

import { networkInterfaces } from 'node:os'
import { isPublic } from './egress/addresses.ts'

/** @param host - the engine’s, as for `connectEngine`. One over the network is on a machine that we do not know. */
export const publicAddresses = (host: string): readonly string[] =>
  new URL(host).protocol === 'unix:'
    ? Object.values(networkInterfaces())
        .flatMap((addresses = []) => addresses.map(({ address }) => address))
        .filter(isPublic)
        .toSorted()
    : []
