// Decides which addresses may be called. The check applies to the address of the connection itself, so
// neither a redirect nor a name that changes its address (DNS rebinding) gets around it.

import { type LookupAddress, type LookupOptions, lookup } from 'node:dns'
import { isIP, type LookupFunction } from 'node:net'
import ipaddr from 'ipaddr.js'

/** Thrown for a target that may not be called. */
export class TargetNotAllowed extends Error {
  constructor(host: string, address: string, range: string) {
    super(host === address ? `${address} is ${range}` : `${host} resolves to ${address}, which is ${range}`)
    this.name = 'TargetNotAllowed'
  }
}

/** Addresses in a public range that belong to a cloud's internals: Azure's wire server. */
const METADATA = new Set(['168.63.129.16'])

/** Returns the IPv4 address inside an IPv6 one (::ffff:0:0/96, and NAT64's 64:ff9b::/96). */
const unwrapped = (address: ipaddr.IPv4 | ipaddr.IPv6): ipaddr.IPv4 | ipaddr.IPv6 => {
  if (address.kind() === 'ipv4') return address
  const ipv6 = address as ipaddr.IPv6
  if (ipv6.isIPv4MappedAddress()) return ipv6.toIPv4Address()
  if (ipv6.range() === 'rfc6052') return new ipaddr.IPv4([...ipv6.toByteArray().slice(12)])
  return ipv6
}

/** Returns the range of an address that may not be called; undefined if it may. */
export const forbiddenRange = (text: string): string | undefined => {
  const address = unwrapped(ipaddr.parse(text))
  if (METADATA.has(address.toString())) return 'metadata'
  const range = address.range()
  return range === 'unicast' ? undefined : range
}

type Resolve = (
  hostname: string,
  options: LookupOptions & { readonly all: true },
  callback: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void

export type GuardOptions = {
  /** Default: the system's resolver. */
  readonly resolve?: Resolve
  /** Addresses that may be called whatever their range. */
  readonly allowed?: ReadonlySet<string>
}

/** Allows connections to public addresses only. */
export class TargetGuard {
  readonly #resolve: Resolve
  readonly #allowed: ReadonlySet<string>

  constructor({ resolve = lookup, allowed = new Set() }: GuardOptions = {}) {
    this.#resolve = resolve
    this.#allowed = allowed
  }

  #check(host: string, address: string): void {
    const range = this.#allowed.has(address) ? undefined : forbiddenRange(address)
    if (range !== undefined) throw new TargetNotAllowed(host, address, range)
  }

  /** Checks a host that is an IP address: Node connects to it without a lookup. @throws TargetNotAllowed */
  checkLiteral(hostname: string): void {
    const host = hostname.replace(/^\[(.*)\]$/, '$1')
    if (isIP(host) !== 0) this.#check(host, host)
  }

  /** Lookup function for `net.connect` that fails if any address of the name is forbidden. */
  readonly lookup: LookupFunction = (hostname, options, callback) => {
    this.#resolve(hostname, { ...options, all: true }, (error, addresses) => {
      if (error) return callback(error, '')
      try {
        for (const { address } of addresses) this.#check(hostname, address)
      } catch (refused) {
        return callback(refused as Error, '')
      }
      const [first] = addresses
      if (options.all || first === undefined) callback(null, addresses)
      else callback(null, first.address, first.family)
    })
  }
}
