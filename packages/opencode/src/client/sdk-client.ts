// Creates the SDK's client for a server.

import { createOpencodeClient, type OpencodeClient } from '@opencode-ai/sdk/v2'
import { SwitchyardError } from '@switchyard/contracts'
import { authorization, type Endpoint } from '../connection/endpoint.ts'

export type Sdk = () => OpencodeClient

export const sdkClient = (endpoint: Endpoint, directory?: string): OpencodeClient =>
  createOpencodeClient({
    baseUrl: endpoint.url,
    headers: { authorization: authorization(endpoint) },
    // Without a `fetch` of its own the SDK sets an option on requests that only Bun knows.
    fetch: fetchAnswer,
    ...(directory === undefined ? {} : { directory }),
  })

/**
 * The SDK takes every HTML answer for a route that the server does not have, and hides its status. The error page of a proxy
 * is HTML too, and its status says that the server behind it is unreachable.
 */
const fetchAnswer = async (input: string | URL | Request, init?: RequestInit): Promise<Response> => {
  const response = await fetch(input, init)
  const isErrorPage = !response.ok && response.headers.get('content-type')?.startsWith('text/html') === true
  return isErrorPage ? new Response(response.body, { status: response.status }) : response
}

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
