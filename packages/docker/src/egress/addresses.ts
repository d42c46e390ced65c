// Which addresses a runner may reach: public ones but those that an operator names. Uses Node alone, see main.ts.

import { BlockList, isIP } from 'node:net'

/** This machine, its neighbours, the metadata services of clouds, and what is no address of one host. */
const INNER: readonly (readonly [string, number, 'ipv4' | 'ipv6'])[] = [
  ['0.0.0.0', 8, 'ipv4'],
  ['10.0.0.0', 8, 'ipv4'],
  ['100.64.0.0', 10, 'ipv4'],
  ['127.0.0.0', 8, 'ipv4'],
  ['169.254.0.0', 16, 'ipv4'],
  ['172.16.0.0', 12, 'ipv4'],
  ['192.0.0.0', 24, 'ipv4'],
  ['192.0.2.0', 24, 'ipv4'],
  ['192.88.99.0', 24, 'ipv4'],
  ['192.168.0.0', 16, 'ipv4'],
  ['198.18.0.0', 15, 'ipv4'],
  ['198.51.100.0', 24, 'ipv4'],
  ['203.0.113.0', 24, 'ipv4'],
  ['224.0.0.0', 4, 'ipv4'],
  ['240.0.0.0', 4, 'ipv4'],
]

const inner = new BlockList()
for (const [network, prefix, family] of INNER) inner.addSubnet(network, prefix, family)

/** Of IPv6 only global unicast is public; within it are ways back to IPv4 (6to4, Teredo) and documentation. */
const global6 = new BlockList()
global6.addSubnet('2000::', 3, 'ipv6')
const inner6 = new BlockList()
for (const [network, prefix] of [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
] as const)
  inner6.addSubnet(network, prefix, 'ipv6')

/** True for an address on the internet. An IPv4 address in IPv6 form is never: it is asked for in its own. */
export const isPublic = (address: string): boolean => {
  const family = isIP(address)
  if (family === 4) return !inner.check(address, 'ipv4')
  if (family === 6) return global6.check(address, 'ipv6') && !inner6.check(address, 'ipv6')
  return false
}

/**
 * Knows the addresses of a list, each entry an address or a network (`9.9.9.9`, `2620:fe::/48`).
 *
 * @throws Error naming an entry that is neither
 */
export const amongst = (entries: readonly string[]): ((address: string) => boolean) => {
  const list = new BlockList()
  for (const entry of entries) {
    const [, address = '', prefix] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(entry) ?? []
    const family = isIP(address)
    const bits = family === 6 ? 128 : 32
    const length = prefix === undefined ? bits : Number(prefix)
    if (family === 0 || length > bits) throw new Error(`${entry} is no address and no network`)
    list.addSubnet(address, length, family === 6 ? 'ipv6' : 'ipv4')
  }
  return (address) => list.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4')
}
