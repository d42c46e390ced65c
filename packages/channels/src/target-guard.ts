// Which addresses a call may go to. Checked on the address that a connection is made to, so neither a redirect nor a name
// that changes its address between a look and the call (DNS rebinding) leads anywhere else.

import { type LookupAddress, type LookupOptions, lookup } from 'node:dns'
import { isIP, type LookupFunction } from 'node:net'
import ipaddr from 'ipaddr.js'

/** A target that is refused: not a fault of the network. */
export class TargetNotAllowed extends Error {
  constructor(host: string, address: string, range: string) {
    super(host === address ? `${address} is ${range}` : `${host} resolves to ${address}, which is ${range}`)
    this.name = 'TargetNotAllowed'
  }
}

/** Public by its range, and yet the inside of a cloud: Azure's wire server. */
const METADATA = new Set(['168.63.129.16'])

/** IPv4 within IPv6 (::ffff:0:0/96, and NAT64's 64:ff9b::/96) counts as what it leads to. */
const unwrapped = (address: ipaddr.IPv4 | ipaddr.IPv6): ipaddr.IPv4 | ipaddr.IPv6 => {
  if (address.kind() === 'ipv4') return address
  const six = address as ipaddr.IPv6
  if (six.isIPv4MappedAddress()) return six.toIPv4Address()
  if (six.range() === 'rfc6052') return new ipaddr.IPv4([...six.toByteArray().slice(12)])
  return six
}

/** The kind of range that keeps an address from being called; undefined where it may be. */
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
  /** Default: the system's. */
  readonly resolve?: Resolve
  /** Addresses that may be called, whatever their range. */
  readonly allowed?: ReadonlySet<string>
}

/** Lets connections go to public addresses only. */
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

  /** An address in a URL is connected to without a lookup. @throws TargetNotAllowed */
  checkLiteral(hostname: string): void {
    const host = hostname.replace(/^\[(.*)\]$/, '$1')
    if (isIP(host) !== 0) this.#check(host, host)
  }

  /** A lookup for `net.connect` that refuses the whole name where any of its addresses is forbidden. */
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
