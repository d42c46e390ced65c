// Decides where a request to the internet is sent: to an address that was checked, or to the operator's own proxy. Imports
// nothing but Node, see main.ts.

import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import { createAddressList, isPublic } from './addresses.ts'
import type { Upstream } from './upstream.ts'

export type Route = { readonly address: string } | { readonly upstream: Upstream }

export class Refused extends Error {}

export type RouterOptions = {
  /** `host:port` entries that are reachable although they are not public. They are reached without the operator's proxy. */
  readonly allow: readonly string[]
  /** Public addresses and networks that are not reachable. */
  readonly deny: readonly string[]
  /** Returns whether a host is reached without the operator's proxy. */
  readonly isDirect: (host: string) => boolean
}

type Address = { readonly address: string }

const addressesOf = async (name: string, upstream: Upstream | undefined): Promise<readonly Address[]> => {
  try {
    return await lookup(name, { all: true, verbatim: true })
  } catch (error) {
    // Behind the operator's proxy, names of the internet may be unknown here.
    if (upstream) return []
    throw error
  }
}

/**
 * Returns a function that finds the route to a host. The host is resolved once, so that the checked address is the one that
 * is used. A host behind the operator's proxy is checked in the same way; that proxy then resolves its name again.
 *
 * The function throws `Refused` when none of the host's addresses may be reached, and the error of the lookup.
 */
export const createRouter = ({ allow, deny, isDirect }: RouterOptions) => {
  const allowed: ReadonlySet<string> = new Set(allow)
  const isDenied = createAddressList(deny)
  return async (host: string, port: number, proxy: Upstream | undefined): Promise<Route> => {
    const name = host.replace(/^\[|\]$/g, '').toLowerCase()
    const isAllowed = allowed.has(`${name}:${port}`)
    const upstream = isAllowed || isDirect(name) ? undefined : proxy
    const found = isIP(name) ? [{ address: name }] : await addressesOf(name, upstream)
    const address = found.find((each) => isAllowed || (isPublic(each.address) && !isDenied(each.address)))?.address
    if (upstream && (found.length === 0 || address !== undefined)) return { upstream }
    if (address !== undefined) return { address }
    const reason = found.some((each) => isDenied(each.address))
      ? 'belongs to this machine or is in EGRESS_DENY,'
      : 'is not on the internet'
    throw new Refused(`${name}:${port} ${reason} and is not in EGRESS_ALLOW`)
  }
}
