// Creates the SDK's client for a server.

import { createOpencodeClient, type OpencodeClient } from '@opencode-ai/sdk/v2'
import { SwitchyardError } from '@switchyard/contracts'
import { authorization, type Endpoint } from '../connection/endpoint.ts'

export type Sdk = () => OpencodeClient

export const sdkClient = (endpoint: Endpoint, directory?: string): OpencodeClient =>
  createOpencodeClient({
    baseUrl: endpoint.url,
    headers: { authorization: authorization(endpoint) },
    // Without this the SDK sets an option on requests that only Bun knows.
    fetch: (input: string | URL | Request, init?: RequestInit) => fetch(input, init),
    ...(directory === undefined ? {} : { directory }),
  })

/** @throws SwitchyardError `opencode_unavailable` when no server is running */
export const requireEndpoint = (endpoint: Endpoint | undefined): Endpoint => {
  if (endpoint) return endpoint
  throw new SwitchyardError('opencode_unavailable', 'the OpenCode server is not running', {
    context: { refused: true },
  })
}

/** Returns a function that gives the client of the current server. One client serves all directories. */
export const createSdk = (current: () => Endpoint | undefined): Sdk => {
  let cached: { readonly endpoint: Endpoint; readonly client: OpencodeClient } | undefined
  return () => {
    const endpoint = requireEndpoint(current())
    if (cached?.endpoint.url === endpoint.url && cached.endpoint.password === endpoint.password) return cached.client
    cached = { endpoint, client: sdkClient(endpoint) }
    return cached.client
  }
}
