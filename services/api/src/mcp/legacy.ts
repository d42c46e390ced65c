// Serves clients of the 2025 protocol: one server and one JSON response per request. The library would respond with an
// event stream. If the api dies, that stream ends without an error and the client waits until its own timeout, while an
// incomplete JSON response fails immediately and the client can retry.

import { type AuthInfo, type Server, WebStandardStreamableHTTPServerTransport } from '@modelcontextprotocol/server'
import { LIMITS } from '@switchyard/contracts'

export const serveLegacyRequest = async (request: Request, server: Server, authInfo: AuthInfo): Promise<Response> => {
  const transport = new WebStandardStreamableHTTPServerTransport({
    enableJsonResponse: true,
    maxRequestBodySize: LIMITS.bodyBytes,
  })
  await server.connect(transport)
  // Aborts the calls of a client that has disconnected.
  request.signal.addEventListener('abort', () => void server.close(), { once: true })
  try {
    return await transport.handleRequest(request, { authInfo })
  } finally {
    await server.close()
  }
}
