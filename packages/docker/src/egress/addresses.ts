// Decides which addresses a task container may reach. Imports nothing but Node, see main.ts.

import { BlockList, isIP } from 'node:net'

/** Loopback, private networks, the metadata services of clouds, documentation, multicast and reserved addresses. */
const NOT_PUBLIC_4: readonly (readonly [string, number])[] = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
]

const notPublic4 = new BlockList()
for (const [network, prefix] of NOT_PUBLIC_4) notPublic4.addSubnet(network, prefix, 'ipv4')

/** In IPv6 only global unicast is public, except for tunnels to IPv4 (6to4, Teredo) and documentation within it. */
const global6 = new BlockList()
global6.addSubnet('2000::', 3, 'ipv6')
const notPublic6 = new BlockList()
for (const [network, prefix] of [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
] as const)
  notPublic6.addSubnet(network, prefix, 'ipv6')

/** Returns whether an address is on the internet. IPv4 addresses in IPv6 form (`::ffff:…`) are never public. */
export const isPublic = (address: string): boolean => {
  const family = isIP(address)
  if (family === 4) return !notPublic4.check(address, 'ipv4')
  if (family === 6) return global6.check(address, 'ipv6') && !notPublic6.check(address, 'ipv6')
  return false
}

/**
 * Returns a function that checks whether an address is in the list.
 *
 * @param entries - addresses and networks, such as `9.9.9.9` and `2620:fe::/48`
 * @throws Error that names an entry that is neither
 */
export const createAddressList = (entries: readonly string[]): ((address: string) => boolean) => {
  const list = new BlockList()
  for (const entry of entries) {
    const [, address = '', prefix] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(entry) ?? []
    const family = isIP(address)
    const bits = family === 6 ? 128 : 32
    const length = prefix === undefined ? bits : Number(prefix)
    if (family === 0 || length > bits) throw new Error(`${entry} is neither an address nor a network`)
    list.addSubnet(address, length, family === 6 ? 'ipv6' : 'ipv4')
  }
  return (address) => list.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4')
}
